package totem

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

const (
	// MaxMessageBytes bounds a message: a client's payload and what the node's owner adds to it.
	MaxMessageBytes = cpg.MaxPayloadBytes + 512

	// queueCostBytes is counted for each queued message in addition to its payload.
	queueCostBytes = 64

	// smallPacketBytes is the body of a packet that is smaller than it might be.
	smallPacketBytes = 64
)

var (
	// ErrBusy means that a message was not queued, because a ring is being formed or the queue is
	// full; try again later.
	ErrBusy = errors.New("ring is being formed or its queue is full")
	// ErrTooLong means that a message is longer than MaxMessageBytes.
	ErrTooLong = errors.New("message is longer than the limit")
)

// outMessage is one waiting message.
type outMessage struct {
	guarantee cpg.Guarantee
	payload   []byte
}

// outQueue holds the messages that wait to be ordered, oldest first.
type outQueue struct {
	messages      []outMessage
	headIndex     int
	queuedBytes   int // payloads and costs of the waiting messages
	headBytesSent int // bytes of the first message that were sent in this ring
}

func (q *outQueue) empty() bool { return q.headIndex == len(q.messages) }

func (q *outQueue) push(m outMessage) {
	if q.headIndex > 0 && q.headIndex == len(q.messages) {
		q.messages, q.headIndex = q.messages[:0], 0
	} else if q.headIndex > 64 && q.headIndex*2 > len(q.messages) {
		n := copy(q.messages, q.messages[q.headIndex:])
		clear(q.messages[n:])
		q.messages, q.headIndex = q.messages[:n], 0
	}
	q.messages = append(q.messages, m)
	q.queuedBytes += len(m.payload) + queueCostBytes
}

func (q *outQueue) pop() {
	m := &q.messages[q.headIndex]
	q.queuedBytes -= len(m.payload) + queueCostBytes
	*m = outMessage{}
	q.headIndex++
	q.headBytesSent = 0
}

// packetsNeeded estimates how many packets the queue fills.
func (q *outQueue) packetsNeeded(bodyBytes int) uint32 {
	if q.empty() {
		return 0
	}
	return uint32((q.queuedBytes-q.headBytesSent)/bodyBytes + 1)
}

// maxBodyBytes returns the capacity of a multicast packet, small enough for sending the packet again inside
// another one in Recovery. What a relay needs is left free always, so that a change of a route does not
// change the size of packets.
func maxBodyBytes(c *Config) int {
	room := c.MTUBytes - seal.OverheadBytes - 2*wire.McastHeaderBytes
	if c.Relay {
		room -= wire.RelayHeaderBytes
	}
	return room
}

// fillPacket appends the body of the next packet to b, at most room bytes. It calls ended for each message
// whose last byte is in the packet.
func (q *outQueue) fillPacket(b []byte, room int, ended func(m *outMessage)) []byte {
	guarantee := q.messages[q.headIndex].guarantee
	for !q.empty() {
		m := &q.messages[q.headIndex]
		rest := len(m.payload) - q.headBytesSent
		if m.guarantee != guarantee || room <= wire.ChunkHeaderBytes {
			break
		}
		n := min(rest, room-wire.ChunkHeaderBytes)
		if n < rest && n < room/4 && rest <= room {
			break // do not cut a short message to fill a little room
		}
		flags := byte(0)
		if q.headBytesSent == 0 {
			flags |= wire.ChunkFirst
		}
		if n == rest {
			flags |= wire.ChunkLast
		}
		b = binary.LittleEndian.AppendUint32(append(b, flags), uint32(n))
		b = append(b, m.payload[q.headBytesSent:q.headBytesSent+n]...)
		room -= wire.ChunkHeaderBytes + n
		q.headBytesSent += n
		if n < rest {
			break
		}
		ended(m)
		q.pop()
	}
	return b
}
