package host

import (
	"crypto/rand"
	"encoding/binary"
)

// osRand draws from the operating system, some bytes at a time.
type osRand struct {
	buffer    [256]byte
	usedBytes int
	isFilled  bool
}

// Uint64 implements env.Rand.
func (r *osRand) Uint64() uint64 {
	if !r.isFilled || r.usedBytes == len(r.buffer) {
		r.Fill(r.buffer[:])
		r.usedBytes, r.isFilled = 0, true
	}
	r.usedBytes += 8
	return binary.LittleEndian.Uint64(r.buffer[r.usedBytes-8:])
}

// Fill implements env.Rand. The operating system never fails to deliver: rand.Read ends the
// program before it returns an error.
func (r *osRand) Fill(p []byte) { _, _ = rand.Read(p) }
