package quorum

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// RequiredVotes returns the number of votes that a partition needs: more than half of the expected votes and
// more than half of the present votes, whichever is more.
func RequiredVotes(highestExpected, present uint32) uint32 {
	return max((highestExpected+2)/2, (present+2)/2)
}

// votesPresent returns the votes and the number of voters among the members, with the device if it casts its
// vote for this node.
func (vq *Votequorum) votesPresent() (votes uint32, voters int) {
	for _, n := range vq.nodes {
		if n.state == stateMember {
			votes += n.votes
			voters++
		}
	}
	if vq.ownEntry().flags&DeviceCastVote != 0 {
		votes += vq.device.votes
		voters++
	}
	return votes, voters
}

// recalculate updates the votes needed and the decision. allowDecrease allows the needed votes to become
// fewer than before. byPresent sets the expected votes of all members to the present votes.
func (vq *Votequorum) recalculate(allowDecrease, byPresent bool) {
	us := vq.ownEntry()
	votes, _ := vq.votesPresent()
	us.effectiveExpected = max(us.effectiveExpected, votes)
	if vq.cfg.TrackExpected && us.effectiveExpected > vq.trackedExpected {
		vq.trackedExpected = us.effectiveExpected
		vq.output.Persist, vq.output.HavePersist = vq.trackedExpected, true
	}
	expected := uint32(0)
	if byPresent {
		expected = votes
		if vq.cfg.AllowDownscale {
			expected = max(expected, vq.downscaleFloor)
		}
		vq.expectEverywhere(expected)
	}
	vq.quorumVotes = vq.votesRequired(expected, allowDecrease)
	vq.updateQuorate(votes)
}

// expectEverywhere sets the expected votes of all members.
func (vq *Votequorum) expectEverywhere(expected uint32) {
	for i := range vq.nodes {
		if vq.nodes[i].state == stateMember {
			vq.nodes[i].effectiveExpected = expected
		}
	}
}

// votesRequired returns the votes needed. expected replaces the members' expected votes unless it is 0.
func (vq *Votequorum) votesRequired(expected uint32, allowDecrease bool) uint32 {
	votes, voters := vq.votesPresent()
	if expected == 0 {
		for _, n := range vq.nodes {
			if n.state == stateMember {
				expected = max(expected, n.effectiveExpected)
			}
		}
	}
	need := RequiredVotes(expected, votes)
	if !allowDecrease {
		need = max(need, vq.quorumVotes)
	}
	if vq.cfg.TwoNode && voters <= 2 {
		need = 1
	}
	return need
}

// updateQuorate decides whether the partition is quorate.
//
// Worked example of wait_for_all (votequorum(5)), nodes A, B, C with one vote each. All are started after
// a power cut:
//
//	A, B up          2 of 3 votes, a majority; but both wait: not quorate
//	C up             3 of 3 votes: quorate, and no node waits any longer
//	C crashes        2 of 3 votes, a majority: A and B stay quorate
//	C restarts       C waits; A and B report Quorate without WaitingForAll, so C stops waiting
//
// Without the option A and B would be quorate at the first step. The option makes sure that C was not
// already running with newer data on the other side of a cut.
func (vq *Votequorum) updateQuorate(votes uint32) {
	us := vq.ownEntry()
	if vq.waitingForAll && votes != us.effectiveExpected {
		vq.log(Notice, "Waiting for all cluster members. Current votes: %d expected_votes: %d",
			votes, us.effectiveExpected)
		vq.setQuorate(false)
		return
	}
	quorate := votes >= vq.quorumVotes || vq.breaksTie(votes) || vq.masterWins()
	vq.setQuorate(quorate)
	if vq.cfg.WaitForAll {
		vq.armWaitForAll(!quorate)
	}
	if !vq.syncing {
		vq.rememberMajority()
	}
}

// armWaitForAll sets whether the node waits until it has seen all others.
func (vq *Votequorum) armWaitForAll(on bool) {
	vq.waitingForAll = on
	if on {
		vq.ownEntry().flags |= WaitingForAll
	} else {
		vq.ownEntry().flags &^= WaitingForAll
	}
}

// setQuorate sets whether the partition is quorate, and announces a change outside of a sync.
func (vq *Votequorum) setQuorate(quorate bool) {
	changed := vq.quorate != quorate
	vq.quorate = quorate
	if quorate {
		vq.ownEntry().flags |= Quorate
	} else {
		vq.ownEntry().flags &^= Quorate
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
		vq.announceDecision()
	}
}

// rememberMajority notes a ring that is quorate by its votes, and the member that later ties follow.
//
// Worked example of auto_tie_breaker (votequorum(5)), nodes A, B, C, D with one vote each, lowest node id
// decides:
//
//	ABCD       4 of 4: a majority; the tie-breaker is A
//	A | BCD    B, C, D: 3 of 4, a majority; the tie-breaker is now B. A: 1 of 4, not quorate
//	AC | BD    both sides have 2 of 4: a tie. A learns of the majority BCD from C: both sides follow B
//	           AC: B is missing, not quorate. BD: B is here, quorate
//
// Each side knows the same last majority, because half of an even number of votes shares a node with
// every majority. If each node followed its own memory, A would still follow itself, and both halves
// would be quorate.
func (vq *Votequorum) rememberMajority() {
	votes, _ := vq.votesPresent()
	if !vq.quorate || votes < vq.quorumVotes {
		return
	}
	vq.ownEntry().majority = Majority{Ring: vq.ring, Votes: votes, Tie: vq.tieBreaker()}
}

// tieBreaker returns the member that ties follow after this ring; 0 if there is none.
func (vq *Votequorum) tieBreaker() ring.NodeID {
	isHere := func(id ring.NodeID) bool {
		n := vq.findNode(id)
		return n != nil && n.state == stateMember
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

// lastMajority returns the last ring, quorate by its votes, that any member was in, and how many of its
// votes are not present.
func (vq *Votequorum) lastMajority() (last Majority, lost uint32) {
	for _, n := range vq.nodes {
		if n.state == stateMember && n.majority.Ring.Compare(last.Ring) > 0 {
			last = n.majority
		}
	}
	here := uint32(0)
	for _, n := range vq.nodes {
		if n.state == stateMember && n.majority.Ring == last.Ring {
			here += n.votes
		}
	}
	return last, last.Votes - min(here, last.Votes)
}

// breaksTie reports whether this partition wins a tie: exactly half of the expected votes is present
// (rounded down), the missing votes of the last majority are not enough for a quorum, and the tie-breaker
// of that majority is a member here.
func (vq *Votequorum) breaksTie(votes uint32) bool {
	if vq.cfg.TieBreaker == TieNone || votes == 0 || votes != vq.ownEntry().effectiveExpected/2 {
		return false
	}
	last, lost := vq.lastMajority()
	return lost < vq.quorumVotes && vq.tieBreakerPresent(last)
}

// tieBreakerPresent reports whether the tie-breaker of a majority is a member.
func (vq *Votequorum) tieBreakerPresent(last Majority) bool {
	n := vq.findNode(last.Tie)
	return last.Tie != 0 && n != nil && n.state == stateMember
}

// masterWins reports whether the device makes the partition quorate regardless of votes: master_wins is
// on, and the device casts its vote for a member (corosync-qdevice(8)).
func (vq *Votequorum) masterWins() bool {
	const both = DeviceMasterWins | DeviceCastVote
	return vq.device.masterWins && slices.ContainsFunc(vq.nodes, func(n node) bool {
		return n.state == stateMember && n.flags&both == both
	})
}
