package totem

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// gatherReason is why a node gathers. The numbers up to 15 are Corosync's.
type gatherReason int

const (
	reasonConsensusTimeout gatherReason = 0
	reasonTokenLost        gatherReason = 2
	reasonConsensusExpired gatherReason = 3
	reasonCommitLost       gatherReason = 4
	reasonRecoveryLost     gatherReason = 5
	reasonFailedToReceive  gatherReason = 6
	reasonForeign          gatherReason = 7
	reasonForeignGather    gatherReason = 8
	reasonMergeOperational gatherReason = 9
	reasonMergeGather      gatherReason = 10
	reasonMergeJoin        gatherReason = 11
	reasonJoinOperational  gatherReason = 12
	reasonJoinCommit       gatherReason = 13
	reasonJoinRecovery     gatherReason = 14
	reasonInterface        gatherReason = 15
	reasonReform           gatherReason = 16
)

var reasonTexts = map[gatherReason]string{
	reasonConsensusTimeout: "consensus timeout",
	reasonTokenLost:        "token lost in operational",
	reasonConsensusExpired: "consensus timeout expired",
	reasonCommitLost:       "token lost in commit",
	reasonRecoveryLost:     "token lost in recovery",
	reasonFailedToReceive:  "failed to receive",
	reasonForeign:          "foreign message in operational",
	reasonForeignGather:    "foreign message in gather",
	reasonMergeOperational: "merge during operational",
	reasonMergeGather:      "merge during gather",
	reasonMergeJoin:        "merge during join",
	reasonJoinOperational:  "join during operational",
	reasonJoinCommit:       "join during commit",
	reasonJoinRecovery:     "join during recovery",
	reasonInterface:        "interface change",
	reasonReform:           "new ring asked for",
}

// gathering is what a node keeps while it looks for the members of the next ring.
type gathering struct {
	procSet   []ring.NodeID // nodes that this node or a join has heard of (my_proc_set)
	failSet   []ring.NodeID // nodes of procSet that will not be members (my_fail_set)
	consensus []ring.NodeID // nodes whose last join proposed the same two sets
	// leaveAnnounced are the nodes that said goodbye since the last ring was installed.
	leaveAnnounced  []ring.NodeID
	scratchSet      []ring.NodeID // reused by proposedMembers
	failedToReceive bool          // this node left its ring because it could not receive in it
	expiredGathers  int           // gathers in a row that ended without consensus
	joinBuffer      joinMessage   // reused for decoding
}

// cannotFormAfter is how many gathers in a row may end without consensus before the log reports a fault
// of the host or the network.
const cannotFormAfter = 3

// gather enters Gather, or starts it again, and sends a join. (The paper, section 5, "Gather State".)
//
// Worked example of a lost token. A, B, C are members of ring 8; C loses its power while it has the token:
//
//	t           A and B miss the token
//	t+token     A's token timer expires: Gather, join {procSet ABC, failSet -}; B follows at A's join
//	            A and B hear each other: consensus is {A, B}, and C is silent
//	+consensus  the consensus timer expires: A and B put C into failSet and send joins again
//	            A has heard the same sets from B: consensus, and A is the lowest node id
//	            A stores ring 12, makes the commit token and sends it to B (createCommit)
//	            B stores 12 and sends it back: both old-ring states are in it, and both enter Recovery
//	            A originates the first token of ring 12; old packets are exchanged; both install
//
// Nodes that answer quickly do not wait for the consensus timer: it is there for the silent ones.
func (n *Node) gather(why gatherReason) {
	if n.state == Recovery {
		n.abandonRecovery()
	}
	// Not at the start, which has just stored the boot count, nor when a join only changes the proposal.
	isNewAttempt := why != reasonInterface &&
		(n.state != Gather || why == reasonConsensusTimeout || why == reasonConsensusExpired)
	n.setState(Gather, reasonTexts[why])
	n.log.Debug(fmt.Sprintf("entering GATHER state from %d(%s).", int(why), reasonTexts[why]))
	n.procSet = insert(n.procSet, n.cfg.Node)
	n.stopTokenTimers()
	n.tokenHeld = false
	if isNewAttempt && !n.diskTakesWrites() {
		return
	}
	n.consensus = append(n.consensus[:0], n.cfg.Node)
	n.setTimer(timerJoin, n.cfg.Timers.Join)
	n.setTimer(timerConsensus, n.cfg.Timers.Consensus)
	n.sendJoin()
	n.checkConsensus()
}

// sendJoin sends the join at once, or after a random delay if totem.send_join is set.
func (n *Node) sendJoin() {
	if spread := n.cfg.Timers.SendJoin; spread > 0 {
		delay := time.Duration(n.random.Uint64() % uint64(spread))
		n.setTimer(timerSendJoin, delay)
		return
	}
	n.sendJoinNow()
}

func (n *Node) sendJoinNow() {
	j := joinMessage{ringSeq: n.ringSeq, procSet: n.procSet, failSet: n.failSet}
	n.composeBuffer = j.append(n.composeBuffer[:0])
	n.sendAll(n.composeBuffer)
}

// proposedMembers returns the members that this node proposes: procSet without failSet.
func (n *Node) proposedMembers() []ring.NodeID {
	n.scratchSet = difference(n.scratchSet, n.procSet, n.failSet)
	return n.scratchSet
}

// checkConsensus forms a ring when all proposed members have proposed the same sets.
func (n *Node) checkConsensus() {
	proposed := n.proposedMembers()
	if n.state != Gather || len(proposed) == 0 || !subset(proposed, n.consensus) {
		return
	}
	switch {
	case n.failedToReceive:
		n.formAlone()
	case proposed[0] == n.cfg.Node:
		n.createCommit(proposed)
	}
}

// formAlone forms a ring of this node alone, because it could not receive in its ring.
func (n *Node) formAlone() {
	n.failedToReceive = false
	n.procSet = append(n.procSet[:0], n.cfg.Node)
	n.failSet = n.failSet[:0]
	n.createCommit(n.proposedMembers())
}

// onConsensusTimer moves the proposed nodes that did not agree in time to failSet.
func (n *Node) onConsensusTimer(why gatherReason) {
	proposed := n.proposedMembers()
	if n.failedToReceive {
		n.formAlone()
		return
	}
	if subset(proposed, n.consensus) {
		// Everybody agreed, but no commit token came: ask everybody again.
		n.consensus = append(n.consensus[:0], n.cfg.Node)
		n.setTimer(timerToken, n.cfg.Timers.Token)
		return
	}
	for _, id := range proposed {
		if !contains(n.consensus, id) {
			n.failSet = insert(n.failSet, id)
		}
	}
	n.gather(why)
}

// onGatherTokenTimer handles the token timer in Gather: the consensus led to no ring.
func (n *Node) onGatherTokenTimer() {
	n.expiredGathers++
	if n.expiredGathers == cannotFormAfter+1 {
		n.env.Probe("totem/cannot-form")
		n.log.Error("Totem is unable to form a cluster because of an operating system or network fault" +
			" (a firewall between the nodes is the usual cause)")
	}
	n.onConsensusTimer(reasonConsensusExpired)
}

func (n *Node) onJoin(from ring.NodeID, body []byte) error {
	j := &n.joinBuffer
	if err := j.decode(body); err != nil {
		return err
	}
	if !contains(j.procSet, from) || !subset(j.procSet, n.knownIDs) || !subset(j.failSet, j.procSet) ||
		from == n.cfg.Node || j.isLeaving && !contains(j.failSet, from) || j.ringSeq >= maxRingSeq {
		return errRefused
	}
	n.highRingSeq = max(n.highRingSeq, j.ringSeq)
	switch n.state {
	case Operational:
		if contains(j.failSet, n.cfg.Node) || contains(n.members, from) && j.ringSeq < n.ringSeq {
			return nil
		}
		if !n.processJoin(from, j) {
			n.gather(reasonJoinOperational)
			n.recordConsensus(from, j)
		}
	case Gather:
		n.processJoin(from, j)
	case Commit, Recovery:
		if !contains(n.newMembers, from) || j.ringSeq < n.ringSeq {
			return nil
		}
		why := reasonJoinCommit
		if n.state == Recovery {
			why = reasonJoinRecovery
		}
		if !n.processJoin(from, j) {
			n.gather(why)
			n.recordConsensus(from, j)
		}
	}
	return nil
}

// recordConsensus notes that a node proposes exactly the sets that this node proposes.
func (n *Node) recordConsensus(from ring.NodeID, j *joinMessage) {
	if j.isLeaving || !slices.Equal(j.procSet, n.procSet) || !slices.Equal(j.failSet, n.failSet) {
		return
	}
	n.consensus = insert(n.consensus, from)
	n.checkConsensus()
}

// processJoin merges a join into this node's own proposal, and reports whether it made the node gather.
func (n *Node) processJoin(from ring.NodeID, j *joinMessage) (gathered bool) {
	if j.isLeaving {
		n.leaveAnnounced = insert(n.leaveAnnounced, from)
	}
	if slices.Equal(j.procSet, n.procSet) && slices.Equal(j.failSet, n.failSet) {
		if n.state == Gather {
			n.recordConsensus(from, j)
		}
		return false
	}
	if subset(j.procSet, n.procSet) && subset(j.failSet, n.failSet) || contains(n.failSet, from) {
		return false
	}
	n.procSet = union(n.procSet, j.procSet)
	if contains(j.failSet, n.cfg.Node) {
		n.failSet = insert(n.failSet, from)
	} else {
		fromMember := contains(n.members, from)
		for _, id := range j.failSet {
			if fromMember || !contains(n.members, id) {
				n.failSet = insert(n.failSet, id)
			}
		}
	}
	n.gather(reasonMergeJoin)
	n.recordConsensus(from, j)
	return true
}

// onForeign handles a message from another ring.
func (n *Node) onForeign(from ring.NodeID, id ringKey, inOperational, inGather gatherReason) {
	if id == n.current.ring || id.Seq >= maxRingSeq {
		return
	}
	if contains(n.members, from) && id.Seq <= n.ringSeq {
		return // a late packet of a ring that the sender has left together with this node
	}
	n.highRingSeq = max(n.highRingSeq, id.Seq)
	switch {
	case n.state == Operational:
		n.procSet = insert(n.procSet, from)
		n.gather(inOperational)
	case n.state == Gather && !contains(n.procSet, from):
		n.procSet = insert(n.procSet, from)
		n.gather(inGather)
	}
}
