// Package ring holds the identifiers that every layer of the engine shares: node ids and ring ids. It
// never holds protocol state.
package ring

import (
	"cmp"
	"fmt"
	"slices"
)

// NodeID is a nodeid of corosync.conf(5), from 1. 0 means none.
type NodeID uint32

// MaxNodes bounds the members of a ring, as in Corosync.
const MaxNodes = 384

// ID identifies a ring: one agreed membership at one position in the order of memberships. It is the
// epoch of everything that is built on the ring.
type ID struct {
	// Seq grows with every new ring. A node stores it durably before it commits to the ring.
	Seq uint64
	// Rep is the ring's representative, its lowest node id.
	Rep NodeID
}

// Compare orders rings by sequence, then by representative: negative if id is before other.
func (id ID) Compare(other ID) int {
	if c := cmp.Compare(id.Seq, other.Seq); c != 0 {
		return c
	}
	return cmp.Compare(id.Rep, other.Rep)
}

// IsZero reports whether id is the zero ID, which identifies no ring.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ring as Corosync writes it: representative.sequence, both in hexadecimal.
func (id ID) String() string { return fmt.Sprintf("%x.%x", uint32(id.Rep), id.Seq) }

// Sorted returns the ids in ascending order without duplicates, in a new slice.
func Sorted(ids []NodeID) []NodeID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}
