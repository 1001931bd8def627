package totem

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// The node's timers, counted from Config.FirstTimer.
const (
	timerToken env.TimerID = iota
	timerRetransmit
	timerHold
	timerMerge
	timerJoin
	timerSendJoin
	timerConsensus
	timerPause

	// NumTimers is how many timer ids a node needs.
	NumTimers
)

func (n *Node) setTimer(id env.TimerID, after time.Duration) {
	n.env.SetTimer(n.cfg.FirstTimer+id, after)
}

func (n *Node) stopTimer(id env.TimerID) { n.env.StopTimer(n.cfg.FirstTimer + id) }

func (n *Node) stopTokenTimers() {
	n.merging = false
	n.stopTimer(timerToken)
	n.stopTimer(timerRetransmit)
	n.stopTimer(timerHold)
	n.stopTimer(timerMerge)
}

func (n *Node) fired(id env.TimerID) {
	t := &n.cfg.Timers
	switch id {
	case timerToken:
		n.onTokenTimer()
	case timerRetransmit:
		if n.state == Operational || n.state == Commit || n.state == Recovery {
			n.sendTo(n.next, n.lastToken)
			n.setTimer(timerRetransmit, t.TokenRetransmit)
		}
	case timerHold:
		if n.held {
			n.forward()
		}
	case timerMerge:
		n.merging = false
		if n.state == Operational && n.cur.ring.Rep == n.cfg.Node {
			n.out = appendRingMessage(n.out[:0], typeMergeDetect, n.cur.ring)
			n.sendOthers(n.out)
		}
	case timerJoin:
		if n.state == Gather {
			n.sendJoin()
			n.setTimer(timerJoin, t.Join)
		}
	case timerSendJoin:
		if n.state == Gather {
			n.transmitJoin()
		}
	case timerConsensus:
		if n.state == Gather {
			n.onConsensusTimer(reasonConsensusTimeout)
		}
	case timerPause:
		n.flushing = false // its mark is lost
		n.checkPause()
		n.pauseStamp = n.env.Mono()
		n.setTimer(timerPause, n.pauseEvery())
	}
}

// armToken arms the token timer for the warning or for the loss, whichever comes first.
func (n *Node) armToken() {
	t := &n.cfg.Timers
	if t.TokenWarningPct == 0 || n.state != Operational {
		n.setTimer(timerToken, t.Token)
		return
	}
	n.setTimer(timerToken, n.warningEvery())
}

func (n *Node) warningEvery() time.Duration {
	return n.cfg.Timers.Token * time.Duration(n.cfg.Timers.TokenWarningPct) / 100
}

func (n *Node) onTokenTimer() {
	t := &n.cfg.Timers
	switch n.state {
	case Operational:
		since := n.env.Mono() - n.tokenAt
		if since < t.Token {
			n.log.Warn(fmt.Sprintf("Token has not been received in %d ms", since.Milliseconds()))
			n.setTimer(timerToken, min(n.warningEvery(), t.Token-since))
			return
		}
		n.log.Info(fmt.Sprintf("A processor failed, forming new configuration: token timed out (%dms),"+
			" waiting %dms for consensus.", t.Token.Milliseconds(), t.Consensus.Milliseconds()))
		n.gather(reasonTokenLost)
	case Gather:
		n.onGatherTokenTimer()
	case Commit:
		n.gather(reasonCommitLost)
	case Recovery:
		n.env.Probe("totem/token-lost-in-recovery")
		n.gather(reasonRecoveryLost)
	}
}

func (n *Node) pauseEvery() time.Duration {
	return n.cfg.Timers.Token / time.Duration(n.cfg.Timers.PauseChecksPerToken)
}

// checkPause finds out that this process did not run for long. Multicasts and joins that lie in its
// socket then speak of a past that the others have left, and are skipped: up to a mark that the
// node sends to itself now, which arrives behind them. Where the mark is lost, the next stamp of the
// clock ends it.
func (n *Node) checkPause() {
	silent := n.env.Mono() - n.pauseStamp
	if n.flushing || silent <= n.cfg.Timers.Token/2 {
		return
	}
	n.env.Probe("totem/pause")
	n.log.Info(fmt.Sprintf("Process pause detected for %d ms, flushing membership messages.",
		silent.Milliseconds()))
	n.flushing = true
	n.flushID++
	n.out = binary.LittleEndian.AppendUint64(append(n.out[:0], typeFlushEnd), n.flushID)
	n.sendTo(n.machine(n.cfg.Node), n.out)
}

// onFlushEnd takes the node's own mark.
func (n *Node) onFlushEnd(from ring.NodeID, body []byte) error {
	if len(body) != 8 || from != n.cfg.Node {
		return ErrMalformed
	}
	if binary.LittleEndian.Uint64(body) == n.flushID {
		n.flushing = false
	}
	return nil
}
