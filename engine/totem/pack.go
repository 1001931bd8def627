package totem

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

// The body of a multicast packet is a row of chunks: flags, length, bytes. A message that fits is
// one chunk that is first and last; longer ones are cut, each piece in a packet of its own, and
// small ones share a packet with others of the same guarantee.
const (
	chunkHeaderBytes = 1 + 4

	chunkFirst = 1 << 0
	chunkLast  = 1 << 1

	// MaxMessageBytes is the longest message: a client's, and what its owner puts around it.
	MaxMessageBytes = cpg.MaxPayloadBytes + 512

	// queueCostBytes is what a queued message costs beside its payload.
	queueCostBytes = 64
)

var (
	// ErrBusy means that a message was not queued: the ring is being formed, or the queue is
	// full. Try again later.
	ErrBusy = errors.New("ring is being formed or its queue is full")
	// ErrTooLong means that a message is longer than MaxMessageBytes.
	ErrTooLong = errors.New("message is longer than the limit")
)

type outMessage struct {
	guarantee cpg.Guarantee
	payload   []byte
}

// outQueue is what waits to be ordered, oldest first.
type outQueue struct {
	messages []outMessage
	head     int
	bytes    int // payloads and costs of what waits
	sent     int // bytes of the first message that went out in this ring
}

func (q *outQueue) empty() bool { return q.head == len(q.messages) }

func (q *outQueue) push(m outMessage) {
	if q.head > 0 && q.head == len(q.messages) {
		q.messages, q.head = q.messages[:0], 0
	} else if q.head > 64 && q.head*2 > len(q.messages) {
		n := copy(q.messages, q.messages[q.head:])
		clear(q.messages[n:])
		q.messages, q.head = q.messages[:n], 0
	}
	q.messages = append(q.messages, m)
	q.bytes += len(m.payload) + queueCostBytes
}

func (q *outQueue) pop() {
	m := &q.messages[q.head]
	q.bytes -= len(m.payload) + queueCostBytes
	*m = outMessage{}
	q.head++
	q.sent = 0
}

// packets estimates how many packets the queue will take.
func (q *outQueue) packets(bodyBytes int) uint32 {
	if q.empty() {
		return 0
	}
	return uint32((q.bytes-q.sent)/bodyBytes + 1)
}

// maxBodyBytes is how much a multicast packet can carry so that it can also be sent again inside
// another one.
func maxBodyBytes(mtuBytes int) int { return mtuBytes - wire.OverheadBytes - 2*mcastHeaderBytes }

// fill appends the next packet's body to b, at most room bytes. ended is called for each message
// whose last byte is in it.
func (q *outQueue) fill(b []byte, room int, ended func(m *outMessage)) []byte {
	guarantee := q.messages[q.head].guarantee
	for !q.empty() {
		m := &q.messages[q.head]
		rest := len(m.payload) - q.sent
		if m.guarantee != guarantee || room <= chunkHeaderBytes {
			break
		}
		n := min(rest, room-chunkHeaderBytes)
		if n < rest && n < room/4 && rest <= room {
			break // would cut a short message for the sake of little room
		}
		flags := byte(0)
		if q.sent == 0 {
			flags |= chunkFirst
		}
		if n == rest {
			flags |= chunkLast
		}
		b = binary.LittleEndian.AppendUint32(append(b, flags), uint32(n))
		b = append(b, m.payload[q.sent:q.sent+n]...)
		room -= chunkHeaderBytes + n
		q.sent += n
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
	first, last bool
	data        []byte
}

// nextChunk takes the first chunk off a body.
func nextChunk(body []byte) (c chunk, rest []byte, err error) {
	if len(body) < chunkHeaderBytes || body[0]&^(chunkFirst|chunkLast) != 0 {
		return c, nil, ErrMalformed
	}
	n := binary.LittleEndian.Uint32(body[1:])
	flags, body := body[0], body[chunkHeaderBytes:]
	if uint64(n) > uint64(len(body)) {
		return c, nil, ErrMalformed
	}
	return chunk{first: flags&chunkFirst != 0, last: flags&chunkLast != 0, data: body[:n]}, body[n:], nil
}

// checkBody says whether a body is a row of whole chunks, without which a packet is malformed. A
// first chunk may only follow a last one, and a chunk that is not last ends the body.
func checkBody(body []byte) error {
	for start := true; len(body) > 0; start = false {
		c, rest, err := nextChunk(body)
		if err != nil || !start && !c.first || !c.last && len(rest) > 0 {
			return ErrMalformed
		}
		body = rest
	}
	return nil
}
