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
func (vq *Votequorum) present() (votes uint32, voters int) {
	for _, n := range vq.nodes {
		if n.state == member {
			votes += n.votes
			voters++
		}
	}
	if vq.us().flags&DeviceCastVote != 0 {
		votes += vq.device.votes
		voters++
	}
	return votes, voters
}

// recalculate brings the quorum and the verdict up to date. allowDecrease lets the quorum become
// smaller than it was; byPresent takes the members that are there for the whole cluster.
func (vq *Votequorum) recalculate(allowDecrease, byPresent bool) {
	us := vq.us()
	votes, _ := vq.present()
	us.expected = max(us.expected, votes)
	if vq.cfg.TrackExpected && us.expected > vq.tracked {
		vq.tracked = us.expected
		vq.out.Persist, vq.out.HavePersist = vq.tracked, true
	}
	expected := uint32(0)
	if byPresent {
		expected = votes
		if vq.cfg.AllowDownscale {
			expected = max(expected, vq.floor)
		}
		vq.expectEverywhere(expected)
	}
	vq.quorum = vq.required(expected, allowDecrease)
	vq.judge(votes)
}

// expectEverywhere sets the expected votes of all members.
func (vq *Votequorum) expectEverywhere(expected uint32) {
	for i := range vq.nodes {
		if vq.nodes[i].state == member {
			vq.nodes[i].expected = expected
		}
	}
}

// required computes the votes needed. expected replaces the members' expected votes unless 0.
func (vq *Votequorum) required(expected uint32, allowDecrease bool) uint32 {
	votes, voters := vq.present()
	if expected == 0 {
		for _, n := range vq.nodes {
			if n.state == member {
				expected = max(expected, n.expected)
			}
		}
	}
	need := Required(expected, votes)
	if !allowDecrease {
		need = max(need, vq.quorum)
	}
	if vq.cfg.TwoNode && voters <= 2 {
		need = 1
	}
	return need
}

// judge decides whether the partition is quorate.
func (vq *Votequorum) judge(votes uint32) {
	us := vq.us()
	if vq.waitingForAll && votes != us.expected {
		vq.log(Notice, "Waiting for all cluster members. Current votes: %d expected_votes: %d",
			votes, us.expected)
		vq.setQuorate(false)
		return
	}
	quorate := votes >= vq.quorum || vq.breaksTie(votes) || vq.masterWins()
	vq.setQuorate(quorate)
	if vq.cfg.WaitForAll {
		vq.armWaitForAll(!quorate)
	}
	if !vq.syncing {
		vq.rememberMajority()
	}
}

// armWaitForAll sets whether the node still waits for all others.
func (vq *Votequorum) armWaitForAll(on bool) {
	vq.waitingForAll = on
	if on {
		vq.us().flags |= WaitingForAll
	} else {
		vq.us().flags &^= WaitingForAll
	}
}

func (vq *Votequorum) setQuorate(quorate bool) {
	changed := vq.quorate != quorate
	vq.quorate = quorate
	if quorate {
		vq.us().flags |= Quorate
	} else {
		vq.us().flags &^= Quorate
	}
	if !changed {
		return
	}
	if quorate {
		vq.log(Debug, "quorum regained, resuming activity")
	} else {
		vq.log(Debug, "quorum lost, blocking activity")
	}
	if !vq.syncing {
		vq.announce()
	}
}

// rememberMajority notes a ring that is quorate by its votes, with the member that ties will
// follow. Half of an even number of votes shares a node with every such ring, so that two halves
// know of the same last one and follow the same node.
func (vq *Votequorum) rememberMajority() {
	votes, _ := vq.present()
	if !vq.quorate || votes < vq.quorum {
		return
	}
	vq.us().majority = Majority{Ring: vq.ring, Votes: votes, Tie: vq.tieBreaker()}
}

// tieBreaker is the member that ties follow after this ring; 0 if there is none.
func (vq *Votequorum) tieBreaker() ring.NodeID {
	isHere := func(id ring.NodeID) bool {
		n := vq.find(id)
		return n != nil && n.state == member
	}
	here := slices.DeleteFunc(slices.Clone(vq.members), func(id ring.NodeID) bool { return !isHere(id) })
	switch {
	case vq.cfg.TieBreaker == TieLowest && len(here) > 0:
		return here[0]
	case vq.cfg.TieBreaker == TieHighest && len(here) > 0:
		return here[len(here)-1]
	case vq.cfg.TieBreaker == TieList:
		if i := slices.IndexFunc(vq.cfg.TieBreakerList, isHere); i >= 0 {
			return vq.cfg.TieBreakerList[i]
		}
	}
	return 0
}

// lastMajority is the last ring quorate by its votes that any member was in, and how many of its
// votes are not here.
func (vq *Votequorum) lastMajority() (last Majority, lost uint32) {
	for _, n := range vq.nodes {
		if n.state == member && n.majority.Ring.Compare(last.Ring) > 0 {
			last = n.majority
		}
	}
	here := uint32(0)
	for _, n := range vq.nodes {
		if n.state == member && n.majority.Ring == last.Ring {
			here += n.votes
		}
	}
	return last, last.Votes - min(here, last.Votes)
}

// breaksTie: exactly half of the expected votes is here (half less one half if the number is odd),
// those of the last majority that are gone cannot be quorate by themselves, and the node that this
// majority left the decision to is on this side.
func (vq *Votequorum) breaksTie(votes uint32) bool {
	if vq.cfg.TieBreaker == TieNone || votes == 0 || votes != vq.us().expected/2 {
		return false
	}
	last, lost := vq.lastMajority()
	return lost < vq.quorum && vq.decides(last)
}

// decides tells whether the node that ties follow since a majority is a member.
func (vq *Votequorum) decides(last Majority) bool {
	n := vq.find(last.Tie)
	return last.Tie != 0 && n != nil && n.state == member
}

// masterWins: the device lets a partition be quorate without counting, if one of its members has
// the device's vote as a master.
func (vq *Votequorum) masterWins() bool {
	const both = DeviceMasterWins | DeviceCastVote
	return vq.device.masterWins && slices.ContainsFunc(vq.nodes, func(n node) bool {
		return n.state == member && n.flags&both == both
	})
}
