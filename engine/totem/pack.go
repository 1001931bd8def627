package totem

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// The body of a multicast packet is a sequence of chunks: flags, length, bytes. A message that fits is one
// chunk that is both first and last. Longer messages are cut, with one piece in each packet; small
// messages share a packet with others of the same guarantee.
const (
	chunkHeaderBytes = 1 + 4

	chunkFirst = 1 << 0
	chunkLast  = 1 << 1

	// MaxMessageBytes bounds a message: a client's payload and what the node's owner adds to it.
	MaxMessageBytes = cpg.MaxPayloadBytes + 512

	// queueCostBytes is counted for each queued message in addition to its payload.
	queueCostBytes = 64
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
// another one in Recovery.
func maxBodyBytes(mtuBytes int) int { return mtuBytes - wire.OverheadBytes - 2*mcastHeaderBytes }

// fillPacket appends the body of the next packet to b, at most room bytes. It calls ended for each message
// whose last byte is in the packet.
func (q *outQueue) fillPacket(b []byte, room int, ended func(m *outMessage)) []byte {
	guarantee := q.messages[q.headIndex].guarantee
	for !q.empty() {
		m := &q.messages[q.headIndex]
		rest := len(m.payload) - q.headBytesSent
		if m.guarantee != guarantee || room <= chunkHeaderBytes {
			break
		}
		n := min(rest, room-chunkHeaderBytes)
		if n < rest && n < room/4 && rest <= room {
			break // do not cut a short message to fill a little room
		}
		flags := byte(0)
		if q.headBytesSent == 0 {
			flags |= chunkFirst
		}
		if n == rest {
			flags |= chunkLast
		}
		b = binary.LittleEndian.AppendUint32(append(b, flags), uint32(n))
		b = append(b, m.payload[q.headBytesSent:q.headBytesSent+n]...)
		room -= chunkHeaderBytes + n
		q.headBytesSent += n
		if n < rest {
			break
		}
		ended(m)
		q.pop()
	}
	return b
}

// chunk is one piece of a packet's body.
type chunk struct {
	isFirst, isLast bool
	data            []byte
}

// nextChunk reads the first chunk of a body.
func nextChunk(body []byte) (c chunk, rest []byte, err error) {
	if len(body) < chunkHeaderBytes || body[0]&^(chunkFirst|chunkLast) != 0 {
		return c, nil, ErrMalformed
	}
	n := binary.LittleEndian.Uint32(body[1:])
	flags, body := body[0], body[chunkHeaderBytes:]
	if uint64(n) > uint64(len(body)) {
		return c, nil, ErrMalformed
	}
	return chunk{isFirst: flags&chunkFirst != 0, isLast: flags&chunkLast != 0, data: body[:n]}, body[n:], nil
}

// checkBody reports a body that is not a sequence of whole chunks as ErrMalformed. Only a first chunk may
// follow a last one, and a chunk that is not last must end the body.
func checkBody(body []byte) error {
	for start := true; len(body) > 0; start = false {
		c, rest, err := nextChunk(body)
		if err != nil || !start && !c.isFirst || !c.isLast && len(rest) > 0 {
			return ErrMalformed
		}
		body = rest
	}
	return nil
}
