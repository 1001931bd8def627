package quorum

import "github.com/holdfast-sim/holdfast/engine/ring"

// Status is what the operators' status commands show.
type Status struct {
	Verdict
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
func (m *Machine) Status() Status {
	s := Status{Verdict: m.Verdict(), DeviceName: m.device.name, DeviceVotes: m.device.votes}
	for _, n := range m.nodes {
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
		{m.cfg.TwoNode, "2Node"},
		{m.quorate, "Quorate"},
		{m.cfg.WaitForAll, "WaitForAll"},
		{m.cfg.LastManStanding, "LastManStanding"},
		{m.cfg.TieBreaker != TieNone, "AutoTieBreaker"},
		{m.cfg.AllowDownscale, "AllowDownscale"},
		{m.us().flags&DeviceRegistered != 0, "Qdevice"},
	} {
		if o.on {
			s.Options = append(s.Options, o.name)
		}
	}
	return s
}
