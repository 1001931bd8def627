package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Sets of nodes are ascending slices without duplicates.

// contains reports whether a node is in a set.
func contains(set []ring.NodeID, id ring.NodeID) bool {
	_, ok := slices.BinarySearch(set, id)
	return ok
}

// insert adds a node to a set and returns the set, which may have moved.
func insert(set []ring.NodeID, id ring.NodeID) []ring.NodeID {
	at, ok := slices.BinarySearch(set, id)
	if ok {
		return set
	}
	return slices.Insert(set, at, id)
}

// union adds nodes to a set and returns the set, which may have moved.
func union(set, more []ring.NodeID) []ring.NodeID {
	for _, id := range more {
		set = insert(set, id)
	}
	return set
}

// subset reports whether every node of a is in b.
func subset(a, b []ring.NodeID) bool {
	for _, id := range a {
		if !contains(b, id) {
			return false
		}
	}
	return true
}

// difference returns the nodes of a that are not in b, in the memory of dst.
func difference(dst, a, b []ring.NodeID) []ring.NodeID {
	dst = dst[:0]
	for _, id := range a {
		if !contains(b, id) {
			dst = append(dst, id)
		}
	}
	return dst
}

// setCopy returns a copy of src in the memory of dst.
func setCopy(dst, src []ring.NodeID) []ring.NodeID { return append(dst[:0], src...) }
