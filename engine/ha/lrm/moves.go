package lrm

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// A move changes the node of a service's configuration, and is answered only after that. If the LRM ends
// in between, its successor cannot execute the command, because the service is on another node. So the
// LRM publishes its intention before it starts a move, and its successor answers the command. An answer
// that was published already stays: the manager may not have read it yet, for example because its store
// does not answer, and the successor cannot give it again.

// adoptRunningMoves takes over the moves that the previous LRM started, and its answers to moves. Before
// that, this LRM writes no status, because its status would replace them. Answers to other commands are not
// taken over: what they describe may have ended with the machine.
func (l *LRM) adoptRunningMoves() {
	if l.movesRecalled {
		return
	}
	old, err := l.env.ReadOwnLRMStatus()
	if l.decisions() == ha.DecisionsUpstream || err != nil && !l.deviates(ha.DiffStartedMoves) {
		l.movesRecalled = true
		return
	}
	if err != nil {
		return // the next round tries again
	}
	l.movesRecalled = true
	for uid, target := range old.StartedMoves {
		l.startedMoves[uid] = target
	}
	for uid, result := range old.Results {
		if result.State.Moving() && l.deviates(ha.DiffStartedMoves) {
			l.resultByUID[uid], l.hasUnprunedResult = result, true
		}
	}
}

// publishMove publishes that a move starts. It returns false when it could not, and then the move must
// wait.
func (l *LRM) publishMove(cmd Command) bool {
	if !cmd.State.Moving() || l.startedMoves[cmd.UID] == cmd.Target {
		return true
	}
	l.startedMoves[cmd.UID] = cmd.Target
	if l.writeStatus() {
		return true
	}
	delete(l.startedMoves, cmd.UID)
	return false
}

// answerArrivedMoves answers the moves that the previous LRM started and that have arrived.
func (l *LRM) answerArrivedMoves() {
	var uids map[string]string
	for sid, sd := range l.services {
		target, started := l.startedMoves[sd.UID]
		if started && l.isMine(sd) && sd.State.Moving() && target == sd.Target && l.jobBySID[sid] == nil {
			if uids == nil {
				uids = map[string]string{}
			}
			uids[sid] = target
		}
	}
	if uids == nil {
		return
	}
	services, err := l.env.ReadServiceConfig()
	if err != nil {
		return
	}
	sids := make([]string, 0, len(uids))
	for sid := range uids {
		sids = append(sids, sid)
	}
	sort.Strings(sids)
	for _, sid := range sids {
		sd := l.services[sid]
		if _, answered := l.resultByUID[sd.UID]; answered || services[sid] == nil ||
			services[sid].Node != uids[sid] {
			continue
		}
		if !l.deviates(ha.DiffStartedMoves) {
			return
		}
		l.env.Log(ha.LevelInfo, fmt.Sprintf("service '%s' has arrived at node '%s' before", sid, uids[sid]))
		l.resultByUID[sd.UID] = ha.LRMResult{SID: sid, State: sd.State, ExitCode: ha.ExitSuccess}
	}
}
