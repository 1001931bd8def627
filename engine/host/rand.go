package host

import (
	"crypto/rand"
	"encoding/binary"
)

// osRand draws from the operating system, some bytes at a time.
type osRand struct {
	buffer [256]byte
	used   int
	filled bool
}

// Uint64 implements env.Rand.
func (r *osRand) Uint64() uint64 {
	if !r.filled || r.used == len(r.buffer) {
		r.Fill(r.buffer[:])
		r.used, r.filled = 0, true
	}
	r.used += 8
	return binary.LittleEndian.Uint64(r.buffer[r.used-8:])
}

// Fill implements env.Rand. The operating system never fails to deliver: rand.Read ends the
// program before it returns an error.
func (r *osRand) Fill(p []byte) { _, _ = rand.Read(p) }
