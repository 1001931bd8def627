package reach

import (
	"math/bits"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

const setWords = (ring.MaxNodes + 63) / 64

// Set is a set of nodes, by their places in the ascending list of all configured nodes.
type Set [setWords]uint64

// Has reports whether a node is in the set.
func (s *Set) Has(i int) bool { return s[i>>6]>>(i&63)&1 != 0 }

// Add adds a node.
func (s *Set) Add(i int) { s[i>>6] |= 1 << (i & 63) }

// Remove removes a node.
func (s *Set) Remove(i int) { s[i>>6] &^= 1 << (i & 63) }

// IsEmpty reports whether no node is in the set.
func (s *Set) IsEmpty() bool { return *s == Set{} }

// Len returns the number of nodes.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// And returns the nodes that are in both sets.
func (s Set) And(o *Set) Set {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Without returns the nodes of s that are not in o.
func (s Set) Without(o *Set) Set {
	for i := range s {
		s[i] &^= o[i]
	}
	return s
}

// Next returns the first node from a place on, -1 if there is none.
func (s *Set) Next(from int) int {
	for w := from >> 6; w < setWords; w++ {
		word := s[w]
		if w == from>>6 {
			word &= ^uint64(0) << (from & 63)
		}
		if word != 0 {
			return w<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// appendTo appends the set as a bitmap for n nodes.
func (s *Set) appendTo(b []byte, n int) []byte {
	for i := range (n + 7) / 8 {
		b = append(b, byte(s[i>>3]>>(i&7*8)))
	}
	return b
}

// decodeSet reads a bitmap for n nodes from the front of b. It reports false when b is too short or has a bit
// that stands for no node.
func decodeSet(b []byte, n int) (s Set, rest []byte, ok bool) {
	size := (n + 7) / 8
	if len(b) < size {
		return s, nil, false
	}
	for i, v := range b[:size] {
		s[i>>3] |= uint64(v) << (i & 7 * 8)
	}
	return s, b[size:], s.Next(n) < 0
}
