package quorum

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// Required is the number of votes that a partition needs: more than half of what is expected and
// more than half of what is there, whichever is more.
func Required(highestExpected, present uint32) uint32 {
	return max((highestExpected+2)/2, (present+2)/2)
}

// present counts the votes of the members, with those of the device if it votes for this node, and
// the number of voters.
func (m *Machine) present() (votes uint32, voters int) {
	for _, n := range m.nodes {
		if n.state == member {
			votes += n.votes
			voters++
		}
	}
	if m.us().flags&DeviceCastVote != 0 {
		votes += m.device.votes
		voters++
	}
	return votes, voters
}

// recalculate brings the quorum and the verdict up to date. allowDecrease lets the quorum become
// smaller than it was; byPresent takes the members that are there for the whole cluster.
func (m *Machine) recalculate(allowDecrease, byPresent bool) {
	us := m.us()
	votes, _ := m.present()
	us.expected = max(us.expected, votes)
	if m.cfg.TrackExpected && us.expected > m.tracked {
		m.tracked = us.expected
		m.out.Persist, m.out.HavePersist = m.tracked, true
	}
	expected := uint32(0)
	if byPresent {
		expected = votes
		if m.cfg.AllowDownscale {
			expected = max(expected, m.floor)
		}
		m.expectEverywhere(expected)
	}
	m.quorum = m.required(expected, allowDecrease)
	m.judge(votes)
}

// expectEverywhere sets the expected votes of all members.
func (m *Machine) expectEverywhere(expected uint32) {
	for i := range m.nodes {
		if m.nodes[i].state == member {
			m.nodes[i].expected = expected
		}
	}
}

// required computes the votes needed. expected replaces the members' expected votes unless 0.
func (m *Machine) required(expected uint32, allowDecrease bool) uint32 {
	votes, voters := m.present()
	if expected == 0 {
		for _, n := range m.nodes {
			if n.state == member {
				expected = max(expected, n.expected)
			}
		}
	}
	need := Required(expected, votes)
	if !allowDecrease {
		need = max(need, m.quorum)
	}
	if m.cfg.TwoNode && voters <= 2 {
		need = 1
	}
	return need
}

// judge decides whether the partition is quorate.
func (m *Machine) judge(votes uint32) {
	us := m.us()
	if m.waitingForAll && votes != us.expected {
		m.log(Notice, "Waiting for all cluster members. Current votes: %d expected_votes: %d",
			votes, us.expected)
		m.setQuorate(false)
		return
	}
	quorate := votes >= m.quorum || m.breaksTie(votes) || m.masterWins()
	m.setQuorate(quorate)
	if m.cfg.WaitForAll {
		m.armWaitForAll(!quorate)
	}
	if !m.syncing {
		m.rememberMajority()
	}
}

// armWaitForAll sets whether the node still waits for all others.
func (m *Machine) armWaitForAll(on bool) {
	m.waitingForAll = on
	if on {
		m.us().flags |= WaitingForAll
	} else {
		m.us().flags &^= WaitingForAll
	}
}

func (m *Machine) setQuorate(quorate bool) {
	changed := m.quorate != quorate
	m.quorate = quorate
	if quorate {
		m.us().flags |= Quorate
	} else {
		m.us().flags &^= Quorate
	}
	if !changed {
		return
	}
	if quorate {
		m.log(Debug, "quorum regained, resuming activity")
	} else {
		m.log(Debug, "quorum lost, blocking activity")
	}
	if !m.syncing {
		m.announce()
	}
}

// rememberMajority notes a ring that is quorate by its votes, with the member that ties will
// follow. Half of an even number of votes shares a node with every such ring, so that two halves
// know of the same last one and follow the same node.
func (m *Machine) rememberMajority() {
	votes, _ := m.present()
	if !m.quorate || votes < m.quorum {
		return
	}
	m.us().majority = Majority{Ring: m.ring, Votes: votes, Tie: m.tieBreaker()}
}

// tieBreaker is the member that ties follow after this ring; 0 if there is none.
func (m *Machine) tieBreaker() ring.NodeID {
	isHere := func(id ring.NodeID) bool {
		n := m.find(id)
		return n != nil && n.state == member
	}
	here := slices.DeleteFunc(slices.Clone(m.members), func(id ring.NodeID) bool { return !isHere(id) })
	switch {
	case m.cfg.TieBreaker == TieLowest && len(here) > 0:
		return here[0]
	case m.cfg.TieBreaker == TieHighest && len(here) > 0:
		return here[len(here)-1]
	case m.cfg.TieBreaker == TieList:
		if i := slices.IndexFunc(m.cfg.TieBreakerList, isHere); i >= 0 {
			return m.cfg.TieBreakerList[i]
		}
	}
	return 0
}

// lastMajority is the last ring quorate by its votes that any member was in, and how many of its
// votes are not here.
func (m *Machine) lastMajority() (last Majority, lost uint32) {
	for _, n := range m.nodes {
		if n.state == member && n.majority.Ring.Compare(last.Ring) > 0 {
			last = n.majority
		}
	}
	here := uint32(0)
	for _, n := range m.nodes {
		if n.state == member && n.majority.Ring == last.Ring {
			here += n.votes
		}
	}
	return last, last.Votes - min(here, last.Votes)
}

// breaksTie: exactly half of the expected votes is here (half less one half if the number is odd),
// those of the last majority that are gone cannot be quorate by themselves, and the node that this
// majority left the decision to is on this side.
func (m *Machine) breaksTie(votes uint32) bool {
	if m.cfg.TieBreaker == TieNone || votes == 0 || votes != m.us().expected/2 {
		return false
	}
	last, lost := m.lastMajority()
	return lost < m.quorum && m.decides(last)
}

// decides tells whether the node that ties follow since a majority is a member.
func (m *Machine) decides(last Majority) bool {
	n := m.find(last.Tie)
	return last.Tie != 0 && n != nil && n.state == member
}

// masterWins: the device lets a partition be quorate without counting, if one of its members has
// the device's vote as a master.
func (m *Machine) masterWins() bool {
	const both = DeviceMasterWins | DeviceCastVote
	return m.device.masterWins && slices.ContainsFunc(m.nodes, func(n node) bool {
		return n.state == member && n.flags&both == both
	})
}
