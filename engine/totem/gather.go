package totem

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// gatherReason is why a node gathers. The numbers up to 15 are Corosync's.
type gatherReason int

const (
	reasonConsensusTimeout gatherReason = 0
	reasonTokenLost        gatherReason = 2
	reasonCommitLost       gatherReason = 4
	reasonRecoveryLost     gatherReason = 5
	reasonFailedToReceive  gatherReason = 6
	reasonJoinOperational  gatherReason = 12
	reasonJoinCommit       gatherReason = 13
	reasonJoinRecovery     gatherReason = 14
	reasonInterface        gatherReason = 15
	reasonReform           gatherReason = 16
	reasonReachability     gatherReason = 17
)

var reasonTexts = map[gatherReason]string{
	reasonConsensusTimeout: "consensus timeout",
	reasonTokenLost:        "token lost in operational",
	reasonCommitLost:       "token lost in commit",
	reasonRecoveryLost:     "token lost in recovery",
	reasonFailedToReceive:  "failed to receive",
	reasonJoinOperational:  "join during operational",
	reasonJoinCommit:       "join during commit",
	reasonJoinRecovery:     "join during recovery",
	reasonInterface:        "interface change",
	reasonReform:           "new ring asked for",
	reasonReachability:     "reachability changed",
}

// gathering is what a node keeps while it looks for the members of the next ring.
type gathering struct {
	// target are the members that the next ring must have. They follow from the rows of all nodes (package
	// reach), and no join changes them.
	target    []ring.NodeID
	isSettled bool // target has stood for reach.Settle
	// agreed are the nodes whose last join, at agreedAt by the index of peers, proposed target.
	agreed         []ring.NodeID
	agreedAt       []time.Duration
	expiredGathers int       // attempts in a row that ended without consensus
	joinBuffer     wire.Join // reused for decoding
}

const (
	// cannotFormAfter is how many attempts in a row may end without consensus before the log reports a fault
	// of the host or the network.
	cannotFormAfter = 3
	// joinsUntilStale is after how many join intervals a join no longer counts as agreement.
	joinsUntilStale = 3
)

// gather enters Gather, or starts it again, and sends a join. (The paper, section 5, "Gather State"; who is
// to be a member is not found out here, see reach.)
//
// Worked example of a lost node. A, B, C are members of ring 8; C loses its power while it has the token:
//
//	t           A and B miss the token, and C does not answer their probes
//	t+token     A's token timer expires: Gather, join {ABC}; B follows at A's join
//	            C has not answered A for token, nor B: their rows say so, and the target is {AB}
//	+settle     A has heard the same target from B: consensus, and A is the lowest node id
//	            A stores ring 12, makes the commit token and sends it to B (createCommit)
//	            B stores 12 and sends it back: both old-ring states are in it, and both enter Recovery
//	            A originates the first token of ring 12; old packets are exchanged; both install
//
// Whichever comes first, the token's loss or the link's, starts it.
func (n *Node) gather(why gatherReason) {
	if n.state == Recovery {
		n.abandonRecovery()
	}
	// Not at the start, which has just stored the boot count.
	isNewAttempt := why != reasonInterface && (n.state != Gather || why == reasonConsensusTimeout)
	n.setState(Gather, reasonTexts[why])
	n.log.Debug(fmt.Sprintf("entering GATHER state from %d(%s).", int(why), reasonTexts[why]))
	n.stopTokenTimers()
	n.tokenHeld = false
	if isNewAttempt && !n.diskTakesWrites() {
		return
	}
	n.propose()
}

// propose asks the nodes of target for their agreement.
func (n *Node) propose() {
	n.agreed = n.agreed[:0]
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
	j := wire.Join{RingSeq: n.ringSeq, Digest: n.monitor.Digest(), Members: n.target}
	n.composeBuffer = j.Append(n.composeBuffer[:0])
	n.sendToSet(n.target, n.composeBuffer)
}

// checkConsensus forms a ring when all nodes of target have proposed target, and it is settled.
func (n *Node) checkConsensus() {
	if n.state != Gather || !n.isSettled || n.target[0] != n.cfg.Node {
		return
	}
	oldest := n.env.Mono() - joinsUntilStale*n.cfg.Timers.Join
	for _, id := range n.target {
		if id != n.cfg.Node && (!contains(n.agreed, id) || n.agreedAt[n.peerIndex(id)] < oldest) {
			return
		}
	}
	n.createCommit(n.target)
}

// onConsensusTimer ends an attempt that led to no ring.
func (n *Node) onConsensusTimer() {
	n.expiredGathers++
	if n.expiredGathers == cannotFormAfter+1 {
		n.env.Probe("totem/cannot-form")
		n.log.Error("Totem is unable to form a cluster because of an operating system or network fault" +
			" (a firewall between the nodes is the usual cause)")
	}
	n.gather(reasonConsensusTimeout)
}

func (n *Node) onJoin(from ring.NodeID, body []byte) error {
	j := &n.joinBuffer
	if err := j.Decode(body); err != nil {
		return err
	}
	if !contains(j.Members, from) || !subset(j.Members, n.knownIDs) || from == n.cfg.Node ||
		j.RingSeq >= maxRingSeq {
		return errRefused
	}
	n.highRingSeq = max(n.highRingSeq, j.RingSeq)
	n.monitor.Compare(from, j.Digest)
	ours := n.members
	why := reasonJoinOperational
	switch n.state {
	case Commit:
		ours, why = n.newMembers, reasonJoinCommit
	case Recovery:
		ours, why = n.newMembers, reasonJoinRecovery
	}
	if n.state != Gather {
		// A member of this ring has left it and wants another one with this node. What others want changes
		// nothing here: if it should, their rows do.
		if !contains(ours, from) || j.RingSeq < n.ringSeq || !contains(j.Members, n.cfg.Node) {
			return nil
		}
		n.gather(why)
	}
	n.recordJoin(from, j)
	return nil
}

// recordJoin notes whether a node proposes what this node proposes.
func (n *Node) recordJoin(from ring.NodeID, j *wire.Join) {
	if n.state != Gather {
		return // the disk refused the state
	}
	if !slices.Equal(j.Members, n.target) {
		n.agreed = slices.DeleteFunc(n.agreed, func(id ring.NodeID) bool { return id == from })
		return
	}
	n.agreed = insert(n.agreed, from)
	n.agreedAt[n.peerIndex(from)] = n.env.Mono()
	n.checkConsensus()
}
