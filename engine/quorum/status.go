package quorum

import "github.com/holdfast-sim/holdfast/engine/ring"

// Status is what the status commands of operators show.
type Status struct {
	Decision
	HighestExpected uint32 // among the members
	Options         []string
	Nodes           []NodeStatus // ascending; also nodes that are gone
	DeviceName      string       // "" if none is registered
	DeviceVotes     uint32
}

// NodeStatus is what is known of one node.
type NodeStatus struct {
	ID     ring.NodeID
	Member bool // of the present ring, and heard on it
	Votes  uint32
	Flags  Flags
}

// Status returns the present state. Options are named as corosync-quorumtool(8) names them: 2Node,
// Quorate, WaitForAll, LastManStanding, AutoTieBreaker, AllowDownscale, Qdevice.
func (vq *Votequorum) Status() Status {
	s := Status{Decision: vq.Decision(), DeviceName: vq.device.name, DeviceVotes: vq.device.votes}
	for _, n := range vq.nodes {
		here := n.state == stateMember
		s.Nodes = append(s.Nodes, NodeStatus{ID: n.id, Member: here, Votes: n.votes, Flags: n.flags})
		if here {
			s.HighestExpected = max(s.HighestExpected, n.effectiveExpected)
		}
	}
	for _, o := range []struct {
		on   bool
		name string
	}{
		{vq.cfg.TwoNode, "2Node"},
		{vq.quorate, "Quorate"},
		{vq.cfg.WaitForAll, "WaitForAll"},
		{vq.cfg.LastManStanding, "LastManStanding"},
		{vq.cfg.TieBreaker != TieNone, "AutoTieBreaker"},
		{vq.cfg.AllowDownscale, "AllowDownscale"},
		{vq.ownEntry().flags&DeviceRegistered != 0, "Qdevice"},
	} {
		if o.on {
			s.Options = append(s.Options, o.name)
		}
	}
	return s
}
