package cluster

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// Status is the answer to OpRing: the node's ring, and what it counts. Counts are since the start of the
// process.
type Status struct {
	Node    ring.NodeID   `json:"node"`
	State   string        `json:"state"` // of the ring protocol, such as "operational"
	Ring    string        `json:"ring"`  // the ring that was installed last
	Members []ring.NodeID `json:"members"`
	// Quorate is the last decision about quorum, for the ring Decided ("" before the first): Votes of the
	// Expected ones are present, and Required are enough.
	Quorate  bool   `json:"quorate"`
	Decided  string `json:"decided,omitempty"`
	Votes    uint32 `json:"votes"`
	Expected uint32 `json:"expected"`
	Required uint32 `json:"required"`

	// ExcludedFrom are the members of the ring from which the node is excluded, and Unlinked those of them
	// with which it has no link that works both ways.
	ExcludedFrom []ring.NodeID `json:"excluded_from,omitempty"`
	Unlinked     []ring.NodeID `json:"unlinked,omitempty"`

	// Relayed are the nodes that this node reaches over a third one only, because the link to them does not
	// work: the operator has to repair it.
	Relayed []Relayed `json:"relayed,omitempty"`

	Rings     uint64 `json:"rings"` // that were installed
	Tokens    uint64 `json:"tokens"`
	Sent      uint64 `json:"sent"`
	Resent    uint64 `json:"resent"`
	Delivered uint64 `json:"delivered"`
	// Refused are packets that changed nothing, by the node from whose address they came.
	Refused []Refused `json:"refused,omitempty"`
	// Relay is what this node has relayed for others; nil if nothing.
	Relay *Relay `json:"relay,omitempty"`
}

// Relayed is a node that is reached over another one, because the link to it does not work.
type Relayed struct {
	Node ring.NodeID `json:"node"`
	Via  ring.NodeID `json:"via"`
}

// String returns the fault on one line, with its remedy.
func (r Relayed) String() string {
	return fmt.Sprintf("node %d is reached over node %d only: repair the link to it", r.Node, r.Via)
}

// Relay counts what a node relayed for others: Dropped frames were above the limit, see totem.RelayStats.
type Relay struct {
	Frames  uint64 `json:"frames"`
	Bytes   uint64 `json:"bytes"`
	Dropped uint64 `json:"dropped"`
}

// Refused counts packets that came from one node's address and changed nothing, by reason; see
// totem.RefusedFrom.
type Refused struct {
	Node      ring.NodeID `json:"node"`
	Foreign   uint64      `json:"foreign"`
	Replayed  uint64      `json:"replayed"`
	StaleBoot uint64      `json:"stale_boot"`
	Malformed uint64      `json:"malformed"`
}

func relayedBy(p *Process) []Relayed {
	var list []Relayed
	for _, r := range p.node.Relayed() {
		list = append(list, Relayed{Node: r.To, Via: r.Via})
	}
	return list
}

// statusOf returns the present state of a process.
func statusOf(p *Process) Status {
	stats := p.node.Stats()
	s := Status{Node: p.nodeID, State: p.node.State().String(), Ring: p.node.Ring().String(),
		Members: p.node.Members(), Rings: stats.Rings, Tokens: stats.Tokens, Sent: stats.Sent,
		Resent: stats.Resent, Delivered: stats.Delivered}
	exclusion := p.node.Exclusion()
	s.ExcludedFrom, s.Unlinked = exclusion.First, exclusion.Missing
	if p.hasQuorum {
		q := p.lastQuorum
		s.Quorate, s.Decided = q.Quorate, q.Ring.String()
		s.Votes, s.Expected, s.Required = q.Votes, q.Expected, q.QuorumVotes
	}
	s.Relayed = relayedBy(p)
	if stats.Relay != (totem.RelayStats{}) {
		relay := Relay(stats.Relay)
		s.Relay = &relay
	}
	for _, r := range stats.RefusedFrom {
		s.Refused = append(s.Refused, Refused(r))
	}
	return s
}
