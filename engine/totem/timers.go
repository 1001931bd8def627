package totem

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
)

// pauseCheck notices that the process did not run for a while.
type pauseCheck struct {
	pauseCheckedAt time.Duration
	// discardQueued makes the node discard joins and multicasts: they were queued before the pause.
	discardQueued bool
	pauseMarker   uint64 // the number of the marker that ends discardQueued
}

// The node's timers, as offsets from Config.FirstTimer.
const (
	timerToken env.TimerID = iota
	timerRetransmit
	timerHold
	timerReach
	timerJoin
	timerSendJoin
	timerConsensus
	timerPause
	timerSettle

	// NumTimers is the number of timer ids that a node uses.
	NumTimers
)

func (n *Node) setTimer(id env.TimerID, after time.Duration) {
	n.env.SetTimer(n.cfg.FirstTimer+id, after)
}

func (n *Node) stopTimer(id env.TimerID) { n.env.StopTimer(n.cfg.FirstTimer + id) }

func (n *Node) stopTokenTimers() {
	n.stopTimer(timerToken)
	n.stopTimer(timerRetransmit)
	n.stopTimer(timerHold)
}

func (n *Node) onTimer(id env.TimerID) {
	t := &n.cfg.Timers
	switch id {
	case timerToken:
		n.onTokenTimer()
	case timerRetransmit:
		if n.state == Operational || n.state == Commit || n.state == Recovery {
			n.sendTo(n.successor, n.tokenToRepeat)
			n.setTimer(timerRetransmit, t.TokenRetransmit)
		}
	case timerHold:
		if n.tokenHeld {
			n.forward()
		}
	case timerReach:
		n.follow(n.monitor.Advance(n.env.Mono()))
		n.noteExclusion()
	case timerSettle:
		n.onSettled()
	case timerJoin:
		if n.state == Gather {
			n.sendJoin()
			n.setTimer(timerJoin, t.Join)
		}
	case timerSendJoin:
		if n.state == Gather {
			n.sendJoinNow()
		}
	case timerConsensus:
		if n.state == Gather {
			n.onConsensusTimer()
		}
	case timerPause:
		n.discardQueued = false // the marker is lost
		n.checkPause()
		n.warnNotScheduled()
		n.pauseCheckedAt = n.env.Mono()
		n.setTimer(timerPause, n.pauseEvery())
	}
}

// armTokenTimer arms the token timer for the warning or for the loss, whichever is earlier.
func (n *Node) armTokenTimer() {
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
		since := n.env.Mono() - n.tokenReceivedAt
		if since < t.Token {
			n.log.Warn(fmt.Sprintf("Token has not been received in %d ms", since.Milliseconds()))
			n.setTimer(timerToken, min(n.warningEvery(), t.Token-since))
			return
		}
		n.log.Info(fmt.Sprintf("A processor failed, forming new configuration: token timed out (%dms),"+
			" waiting %dms for consensus.", t.Token.Milliseconds(), t.Consensus.Milliseconds()))
		n.gather(reasonTokenLost)
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

// warnNotScheduled logs that this process did not run for more than 80 % of a token timeout, in the words for
// which operators search: the computer is overloaded, or was suspended.
func (n *Node) warnNotScheduled() {
	silent, threshold := n.env.Mono()-n.pauseCheckedAt, n.cfg.Timers.Token*4/5
	if silent <= threshold {
		return
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	n.env.Log().Warn(fmt.Sprintf("Corosync main process was not scheduled (@%d) for %.4f ms (threshold is "+
		"%.4f ms). Consider token timeout increase.", n.env.Wall().UnixMilli(), ms(silent), ms(threshold)),
		"subsys", "MAIN")
}

// checkPause detects that this process did not run for more than half a token timeout. Multicasts and
// joins that were queued meanwhile describe a membership that the others have left, so they are
// discarded. The node sends itself a marker now, which arrives behind them; onPauseMarker ends the
// discarding. If the marker is lost, the next pause timer ends it.
func (n *Node) checkPause() {
	silent := n.env.Mono() - n.pauseCheckedAt
	if n.discardQueued || silent <= n.cfg.Timers.Token/2 {
		return
	}
	n.env.Probe("totem/pause")
	n.log.Info(fmt.Sprintf("Process pause detected for %d ms, flushing membership messages.",
		silent.Milliseconds()))
	n.discardQueued = true
	n.pauseMarker++
	n.composeBuffer = binary.LittleEndian.AppendUint64(append(n.composeBuffer[:0], wire.TypePauseMarker),
		n.pauseMarker)
	n.sendTo(n.cfg.Node, n.composeBuffer)
}

// onPauseMarker ends the discarding when the node's own marker arrives.
func (n *Node) onPauseMarker(from ring.NodeID, body []byte) error {
	if len(body) != 8 || from != n.cfg.Node {
		return wire.ErrMalformed
	}
	if binary.LittleEndian.Uint64(body) == n.pauseMarker {
		n.discardQueued = false
	}
	return nil
}
