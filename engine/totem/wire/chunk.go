package wire

import "encoding/binary"

// The body of a multicast packet is a sequence of chunks: flags, length, bytes. A message that fits is one
// chunk that is both first and last. Longer messages are cut, with one piece in each packet; small
// messages share a packet with others of the same guarantee.
const (
	// ChunkHeaderBytes is what a chunk has in front of its bytes.
	ChunkHeaderBytes = 1 + 4

	// The flags of a chunk: it begins a message, it ends one.
	ChunkFirst = 1 << 0
	ChunkLast  = 1 << 1
)

// Chunk is one piece of a packet's body.
type Chunk struct {
	IsFirst, IsLast bool
	Data            []byte
}

// NextChunk reads the first chunk of a body.
func NextChunk(body []byte) (c Chunk, rest []byte, err error) {
	if len(body) < ChunkHeaderBytes || body[0]&^(ChunkFirst|ChunkLast) != 0 {
		return c, nil, ErrMalformed
	}
	n := binary.LittleEndian.Uint32(body[1:])
	flags, body := body[0], body[ChunkHeaderBytes:]
	if uint64(n) > uint64(len(body)) {
		return c, nil, ErrMalformed
	}
	return Chunk{IsFirst: flags&ChunkFirst != 0, IsLast: flags&ChunkLast != 0, Data: body[:n]}, body[n:], nil
}

// CheckBody reports a body that is not a sequence of whole chunks as ErrMalformed. Only a first chunk may
// follow a last one, and a chunk that is not last must end the body.
func CheckBody(body []byte) error {
	for start := true; len(body) > 0; start = false {
		c, rest, err := NextChunk(body)
		if err != nil || !start && !c.IsFirst || !c.IsLast && len(rest) > 0 {
			return ErrMalformed
		}
		body = rest
	}
	return nil
}
