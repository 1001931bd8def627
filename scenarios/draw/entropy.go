package draw

import "encoding/binary"

// Entropy is a stream of random bits for processes: keys, nonces, identifiers. It derives from the
// seed and the names that NewEntropy got. It cannot be overridden: a simpler nonce makes no run
// simpler.
type Entropy struct{ state uint64 }

// NewEntropy returns the stream that belongs to a seed and names.
func NewEntropy(seed uint64, names ...string) *Entropy {
	return &Entropy{state: keyOf(seed, append([]string{"entropy"}, names...)...)}
}

// Uint64 returns 64 bits.
func (e *Entropy) Uint64() uint64 {
	e.state += golden
	return mixBits(e.state)
}

// Fill fills p.
func (e *Entropy) Fill(p []byte) {
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, e.Uint64())
		p = p[8:]
	}
	if len(p) > 0 {
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], e.Uint64())
		copy(p, last[:])
	}
}
