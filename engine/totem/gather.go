package totem

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// reason says why a node gathers; the numbers are Corosync's, 16 and up are ours.
type reason int

const (
	reasonConsensusTimeout reason = 0
	reasonTokenLost        reason = 2
	reasonConsensusExpired reason = 3
	reasonCommitLost       reason = 4
	reasonRecoveryLost     reason = 5
	reasonFailedToReceive  reason = 6
	reasonForeign          reason = 7
	reasonForeignGather    reason = 8
	reasonMergeOperational reason = 9
	reasonMergeGather      reason = 10
	reasonMergeJoin        reason = 11
	reasonJoinOperational  reason = 12
	reasonJoinCommit       reason = 13
	reasonJoinRecovery     reason = 14
	reasonInterface        reason = 15
	reasonReform           reason = 16
)

var reasonTexts = map[reason]string{
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

// cannotFormAfter is how many gathers in a row may end without consensus before the operator is
// told that something is wrong with the host or the network.
const cannotFormAfter = 3

// gather begins or restarts the search for a membership.
func (n *Node) gather(why reason) {
	if n.state == Recovery {
		n.abandonRecovery()
	}
	n.setState(Gather, reasonTexts[why])
	n.log.Debug(fmt.Sprintf("entering GATHER state from %d(%s).", int(why), reasonTexts[why]))
	n.procs = insert(n.procs, n.cfg.Node)
	n.stopTokenTimers()
	n.held = false
	n.agreed = append(n.agreed[:0], n.cfg.Node)
	n.setTimer(timerJoin, n.cfg.Timers.Join)
	n.setTimer(timerConsensus, n.cfg.Timers.Consensus)
	n.sendJoin()
	n.checkConsensus()
}

// sendJoin sends the join at once, or after a random delay where one is configured.
func (n *Node) sendJoin() {
	if spread := n.cfg.Timers.SendJoin; spread > 0 {
		delay := time.Duration(n.random.Uint64() % uint64(spread))
		n.setTimer(timerSendJoin, delay)
		return
	}
	n.transmitJoin()
}

func (n *Node) transmitJoin() {
	j := join{ringSeq: n.ringSeq, procs: n.procs, failed: n.failed}
	n.out = j.append(n.out[:0])
	n.sendAll(n.out)
}

// proposed is the membership that this node now stands for.
func (n *Node) proposed() []ring.NodeID {
	n.scratch = minus(n.scratch, n.procs, n.failed)
	return n.scratch
}

// checkConsensus acts when everybody proposed has proposed the same.
func (n *Node) checkConsensus() {
	proposed := n.proposed()
	if n.state != Gather || len(proposed) == 0 || !subset(proposed, n.agreed) {
		return
	}
	switch {
	case n.failedToReceive:
		n.formAlone()
	case proposed[0] == n.cfg.Node:
		n.createCommit(proposed)
	}
}

// formAlone makes a ring of one out of a node that cannot receive in its ring.
func (n *Node) formAlone() {
	n.failedToReceive = false
	n.procs = append(n.procs[:0], n.cfg.Node)
	n.failed = n.failed[:0]
	n.createCommit(n.proposed())
}

// onConsensusTimer fails those who did not agree in time.
func (n *Node) onConsensusTimer(why reason) {
	proposed := n.proposed()
	if n.failedToReceive {
		n.formAlone()
		return
	}
	if subset(proposed, n.agreed) {
		// Everybody agreed and yet no commit token came: hear everybody again.
		n.agreed = append(n.agreed[:0], n.cfg.Node)
		n.setTimer(timerToken, n.cfg.Timers.Token)
		return
	}
	for _, id := range proposed {
		if !has(n.agreed, id) {
			n.failed = insert(n.failed, id)
		}
	}
	n.gather(why)
}

// onGatherTokenTimer is the token timer in Gather: nothing came of the consensus.
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
	j := &n.joinMsg
	if err := j.decode(body); err != nil {
		return err
	}
	if !has(j.procs, from) || !subset(j.procs, n.known) || !subset(j.failed, j.procs) ||
		from == n.cfg.Node || j.leave && !has(j.failed, from) || j.ringSeq >= maxRingSeq {
		return errRefused
	}
	n.highRing = max(n.highRing, j.ringSeq)
	switch n.state {
	case Operational:
		if has(j.failed, n.cfg.Node) || has(n.members, from) && j.ringSeq < n.ringSeq {
			return nil
		}
		if !n.processJoin(from, j) {
			n.gather(reasonJoinOperational)
			n.recordConsensus(from, j)
		}
	case Gather:
		n.processJoin(from, j)
	case Commit, Recovery:
		if !has(n.newMembers, from) || j.ringSeq < n.ringSeq {
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

// recordConsensus counts a join that says exactly what this node says.
func (n *Node) recordConsensus(from ring.NodeID, j *join) {
	if j.leave || !slices.Equal(j.procs, n.procs) || !slices.Equal(j.failed, n.failed) {
		return
	}
	n.agreed = insert(n.agreed, from)
	n.checkConsensus()
}

// processJoin merges a join into this node's own proposal and reports whether that made it gather.
func (n *Node) processJoin(from ring.NodeID, j *join) (gathered bool) {
	if j.leave {
		n.announced = insert(n.announced, from)
	}
	if slices.Equal(j.procs, n.procs) && slices.Equal(j.failed, n.failed) {
		if n.state == Gather {
			n.recordConsensus(from, j)
		}
		return false
	}
	if subset(j.procs, n.procs) && subset(j.failed, n.failed) || has(n.failed, from) {
		return false
	}
	n.procs = insertAll(n.procs, j.procs)
	if has(j.failed, n.cfg.Node) {
		n.failed = insert(n.failed, from)
	} else {
		fromMember := has(n.members, from)
		for _, id := range j.failed {
			if fromMember || !has(n.members, id) {
				n.failed = insert(n.failed, id)
			}
		}
	}
	n.gather(reasonMergeJoin)
	n.recordConsensus(from, j)
	return true
}

// onForeign handles a sign of life from another ring.
func (n *Node) onForeign(from ring.NodeID, id ringKey, inOperational, inGather reason) {
	if id == n.cur.ring || id.Seq >= maxRingSeq {
		return
	}
	if has(n.members, from) && id.Seq <= n.ringSeq {
		return // a late packet of a ring that the sender has left together with this node
	}
	n.highRing = max(n.highRing, id.Seq)
	switch {
	case n.state == Operational:
		n.procs = insert(n.procs, from)
		n.gather(inOperational)
	case n.state == Gather && !has(n.procs, from):
		n.procs = insert(n.procs, from)
		n.gather(inGather)
	}
}
