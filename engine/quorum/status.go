package quorum

import "github.com/holdfast-sim/holdfast/engine/ring"

// Status is what the operators' status commands show.
type Status struct {
	Decision
	HighestExpected uint32 // among the members
	Options         []string
	Nodes           []NodeStatus // ascending; also nodes that are gone
	DeviceName      string       // "" if none is registered
	DeviceVotes     uint32
}

// NodeStatus is what the machine knows of one node.
type NodeStatus struct {
	ID     ring.NodeID
	Member bool // of the present ring, and heard on it
	Votes  uint32
	Flags  Flags
}

// Status describes the machine as it stands. Options are named as in quorumtool: 2Node, Quorate,
// WaitForAll, LastManStanding, AutoTieBreaker, AllowDownscale, Qdevice.
func (vq *Votequorum) Status() Status {
	s := Status{Decision: vq.Decision(), DeviceName: vq.device.name, DeviceVotes: vq.device.votes}
	for _, n := range vq.nodes {
		here := n.state == member
		s.Nodes = append(s.Nodes, NodeStatus{ID: n.id, Member: here, Votes: n.votes, Flags: n.flags})
		if here {
			s.HighestExpected = max(s.HighestExpected, n.expected)
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
		{vq.us().flags&DeviceRegistered != 0, "Qdevice"},
	} {
		if o.on {
			s.Options = append(s.Options, o.name)
		}
	}
	return s
}
