package cluster

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// MaxInfoBytes bounds what one node tells all others when a ring begins.
const MaxInfoBytes = 64 << 10

// SyncService decides about quorum from what the members of a new ring tell each other.
type SyncService interface {
	// Info is what this node tells all members of the ring, at most MaxInfoBytes.
	Info(c totem.Configuration) []byte
	// Done is told what all members said, ascending by node, once each of them has it. Its
	// answer goes to the clients. The infos are the service's to keep.
	Done(c totem.Configuration, infos []NodeInfo) cpg.Quorum
}

// NodeInfo is what one member said.
type NodeInfo struct {
	Node ring.NodeID
	Info []byte
}

// exchange is the phase that opens a ring: everybody sends its info, and a barrier once it has
// those of all others. The last barrier ends it. All of that is ordered on the ring, so it ends
// at the same place of the order everywhere. A new ring starts it over.
type exchange struct {
	config   totem.Configuration
	infos    []NodeInfo // ascending by node
	barriers []ring.NodeID
	running  bool
}

// begin starts over for a ring.
func (x *exchange) begin(c totem.Configuration) {
	*x = exchange{config: c, running: true}
}

// info takes a member's info and reports whether it was the last one.
func (x *exchange) info(from ring.NodeID, data []byte) bool {
	at, there := slices.BinarySearchFunc(x.infos, from, func(i NodeInfo, id ring.NodeID) int {
		return int(i.Node) - int(id)
	})
	if !x.running || there || !slices.Contains(x.config.Members, from) {
		return false
	}
	x.infos = slices.Insert(x.infos, at, NodeInfo{Node: from, Info: slices.Clone(data)})
	return len(x.infos) == len(x.config.Members)
}

// barrier takes a member's barrier and reports whether it was the last one.
func (x *exchange) barrier(from ring.NodeID) bool {
	if !x.running || slices.Contains(x.barriers, from) || !slices.Contains(x.config.Members, from) {
		return false
	}
	x.barriers = append(x.barriers, from)
	if len(x.barriers) < len(x.config.Members) || len(x.infos) < len(x.config.Members) {
		return false
	}
	x.running = false
	return true
}
