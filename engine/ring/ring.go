// Package ring holds the names that every layer of the engine shares: node ids and ring ids.
// It never holds protocol state.
package ring

import (
	"cmp"
	"fmt"
	"slices"
)

// NodeID is a node's id in corosync.conf, 1 and up. 0 means none.
type NodeID uint32

// MaxNodes is the largest cluster, as in Corosync.
const MaxNodes = 384

// ID names one ring: one agreed membership in one place of the order of memberships. It serves
// as the epoch of everything that is built on the ring.
type ID struct {
	// Seq grows with every new ring; a node persists it before it commits to the ring.
	Seq uint64
	// Rep is the ring's representative, its lowest node id.
	Rep NodeID
}

// Compare orders rings: by sequence, then by representative.
func (id ID) Compare(other ID) int {
	if c := cmp.Compare(id.Seq, other.Seq); c != 0 {
		return c
	}
	return cmp.Compare(id.Rep, other.Rep)
}

// IsZero says that this is no ring.
func (id ID) IsZero() bool { return id == ID{} }

// String writes the ring as operators know it: representative and sequence in hexadecimal.
func (id ID) String() string { return fmt.Sprintf("%x.%x", uint32(id.Rep), id.Seq) }

// Sorted returns the ids in ascending order without duplicates, in a new slice.
func Sorted(ids []NodeID) []NodeID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}
