package totem

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Sets of nodes are ascending slices without duplicates.

func has(set []ring.NodeID, id ring.NodeID) bool {
	_, ok := slices.BinarySearch(set, id)
	return ok
}

// insert adds a node in place.
func insert(set []ring.NodeID, id ring.NodeID) []ring.NodeID {
	at, ok := slices.BinarySearch(set, id)
	if ok {
		return set
	}
	return slices.Insert(set, at, id)
}

// insertAll adds nodes in place.
func insertAll(set, more []ring.NodeID) []ring.NodeID {
	for _, id := range more {
		set = insert(set, id)
	}
	return set
}

// subset says whether every node of a is in b.
func subset(a, b []ring.NodeID) bool {
	for _, id := range a {
		if !has(b, id) {
			return false
		}
	}
	return true
}

// minus appends to dst[:0] what is in a and not in b.
func minus(dst, a, b []ring.NodeID) []ring.NodeID {
	dst = dst[:0]
	for _, id := range a {
		if !has(b, id) {
			dst = append(dst, id)
		}
	}
	return dst
}

// setCopy copies src into dst's memory.
func setCopy(dst, src []ring.NodeID) []ring.NodeID { return append(dst[:0], src...) }
