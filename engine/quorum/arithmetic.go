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
	quorate := votes >= m.quorum
	if quorate {
		m.rememberEnds()
	}
	quorate = quorate || m.breaksTie(votes) || m.masterWins()
	m.setQuorate(quorate)
	if m.cfg.WaitForAll {
		m.armWaitForAll(!quorate)
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

// rememberEnds notes the lowest and highest member of a partition that is quorate by its votes.
func (m *Machine) rememberEnds() {
	m.lowest, m.highest = m.cfg.Self, m.cfg.Self
	for _, n := range m.nodes {
		if n.state == member {
			m.lowest, m.highest = min(m.lowest, n.id), max(m.highest, n.id)
		}
	}
}

// breaksTie: exactly half of the expected votes is here (half less one half if the number is odd),
// those who were here before and are gone cannot be quorate by themselves, and the tie-breaker is
// on this side.
func (m *Machine) breaksTie(votes uint32) bool {
	if m.cfg.TieBreaker == TieNone || votes != m.us().expected/2 {
		return false
	}
	lost := uint32(0)
	for _, id := range without(m.previous, m.members) {
		if n := m.find(id); n != nil {
			lost += n.votes
		}
	}
	return lost < m.quorum && m.tieBreakerHere()
}

// tieBreakerHere tells whether the node that breaks ties is a member. With a list, the first node
// of the list that is here decides, unless an earlier one was in the ring before: that one may
// decide for the other side.
func (m *Machine) tieBreakerHere() bool {
	isHere := func(id ring.NodeID) bool {
		n := m.find(id)
		return n != nil && n.state == member
	}
	switch m.cfg.TieBreaker {
	case TieLowest:
		return isHere(m.lowest)
	case TieHighest:
		return isHere(m.highest)
	case TieList:
		for i, id := range m.cfg.TieBreakerList {
			if slices.Contains(m.members, id) {
				return !slices.ContainsFunc(m.cfg.TieBreakerList[:i], func(earlier ring.NodeID) bool {
					return slices.Contains(m.previous, earlier)
				})
			}
		}
	}
	return false
}

// masterWins: the device lets a partition be quorate without counting, if one of its members has
// the device's vote as a master.
func (m *Machine) masterWins() bool {
	const both = DeviceMasterWins | DeviceCastVote
	return m.device.masterWins && slices.ContainsFunc(m.nodes, func(n node) bool {
		return n.state == member && n.flags&both == both
	})
}
