package lrm

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Command is one command of the manager for one service.
type Command struct {
	SID string
	// UID identifies the command; "" for the LRM's own stop jobs at shutdown.
	UID string
	// State is the state in which the manager put the service.
	State ha.ServiceState
	// Target is the target of a move.
	Target string
	// TimeoutSeconds is the timeout of a stop, nil for the default.
	TimeoutSeconds *ha.Int
}

// Executor runs commands inline, or in workers of which at most MaxWorkers run at a time.
//
// The LRM starts a command at most once until its result is taken, and never two commands of one service
// at the same time. A started command runs to its end even if the LRM exits. The caller must wait for
// that end before it makes the next LRM, or the result would be lost.
type Executor interface {
	// MaxWorkers bounds the commands that run at once; 0 means that Start runs the command to its
	// end.
	MaxWorkers() int
	// Start starts a command. It returns false when it could not.
	Start(Command) bool
	// Finished returns the result of a started command once there is one, and forgets the command.
	Finished(sid string) (ha.ExitCode, bool)
	// Wait lets up to this many seconds pass, less when a command finishes sooner. Not called when
	// MaxWorkers is 0.
	Wait(seconds int)
}

// workerSeconds is how long one round waits for workers at most. maxWaits bounds the number of waits if
// the clock does not advance.
const (
	workerSeconds = 8
	maxWaits      = 1000
)

// commandJob is a queued or running command.
type commandJob struct {
	command Command
	running bool
	// waitedRounds counts the rounds in which the job could not start.
	waitedRounds int
}

// manageServices queues and runs the commands that the manager's decisions require on this node.
func (l *LRM) manageServices() {
	for sid := range l.restartTries {
		if l.services[sid] == nil {
			delete(l.restartTries, sid)
		}
	}
	for sid, j := range l.jobBySID {
		if sd := l.services[sid]; !j.running && j.command.UID != "" && !l.isMine(sd) &&
			l.deviates(ha.DiffWithdrawnCommand) {
			delete(l.jobBySID, sid) // the manager has changed its decision
		}
	}
	l.answerArrivedMoves()
	sids := make([]string, 0, len(l.services))
	for sid := range l.services {
		sids = append(sids, sid)
	}
	sort.Strings(sids)
	for _, sid := range sids {
		if sd := l.services[sid]; l.isMine(sd) {
			l.queueCommand(Command{
				SID: sid, UID: sd.UID, State: sd.State, Target: sd.Target, TimeoutSeconds: sd.TimeoutSeconds,
			})
		}
	}
	l.advanceJobs()
}

// isMine reports whether a service is on this node and in a state that requires an action of its LRM.
func (l *LRM) isMine(sd *ha.ServiceStatus) bool {
	if sd == nil || sd.Node != l.env.NodeName() || sd.UID == "" {
		return false
	}
	switch sd.State {
	case ha.Recovery, ha.Freeze, ha.RequestStart, ha.Fence:
		return false
	}
	return true
}

// finishJobs forgets jobs that have not started, lets the others finish, and returns how many jobs are
// left.
func (l *LRM) finishJobs() int {
	for sid, j := range l.jobBySID {
		if !j.running {
			delete(l.jobBySID, sid)
		}
	}
	return l.advanceJobs()
}

// queueCommand remembers a command. A command with a result is not executed again, or manager and LRM would
// disagree about which of the two results counts. Stopping is the exception: the LRM enforces it
// indefinitely, and the manager does not read the later results.
func (l *LRM) queueCommand(cmd Command) {
	if cmd.State != ha.Stopped && cmd.UID != "" {
		if _, done := l.resultByUID[cmd.UID]; done {
			return
		}
	}
	waited := 0
	if old := l.jobBySID[cmd.SID]; old != nil {
		if old.running {
			return
		}
		waited = old.waitedRounds
	}
	l.jobBySID[cmd.SID] = &commandJob{command: cmd, waitedRounds: waited}
}

// advanceJobs starts the jobs that may start, takes results, and returns how many jobs are left.
func (l *LRM) advanceJobs() int {
	start := l.env.NowSeconds()
	for try, stalled := 0, false; try < maxWaits; try++ {
		if l.collectResults() == 0 && stalled {
			break // neither the clock nor a job advances
		}
		l.startJobs()
		if l.executor.MaxWorkers() > 0 {
			l.collectResults()
		}
		if len(l.jobBySID) == 0 || l.executor.MaxWorkers() == 0 {
			break
		}
		before := l.env.NowSeconds()
		left := workerSeconds - (before - start)
		if left <= 0 {
			break
		}
		l.executor.Wait(int(left))
		stalled = l.env.NowSeconds() == before
	}
	for _, j := range l.jobBySID {
		if !j.running {
			j.waitedRounds++
		}
	}
	return len(l.jobBySID)
}

// startJobs starts the jobs that have waited longest first, so that no job waits forever.
func (l *LRM) startJobs() {
	running := 0
	var waiting []*commandJob
	for _, j := range l.jobBySID {
		if j.running {
			running++
		} else {
			waiting = append(waiting, j)
		}
	}
	sort.Slice(waiting, func(a, b int) bool {
		if waiting[a].waitedRounds != waiting[b].waitedRounds {
			return waiting[a].waitedRounds > waiting[b].waitedRounds
		}
		return waiting[a].command.SID < waiting[b].command.SID
	})
	limit := l.executor.MaxWorkers()
	for _, j := range waiting {
		if limit > 0 && running >= limit {
			return
		}
		if !l.publishMove(j.command) {
			continue // the next round tries again
		}
		if !l.executor.Start(j.command) {
			l.env.Log(ha.LevelErr, "starting resource command failed: "+j.command.SID)
			return // the next round tries again
		}
		j.running = true
		running++
		if limit == 0 {
			l.reapOne(j.command.SID)
			l.pruneResults()
		}
	}
}

// collectResults takes the available results and returns how many.
func (l *LRM) collectResults() (count int) {
	sids := make([]string, 0, len(l.jobBySID))
	for sid, j := range l.jobBySID {
		if j.running {
			sids = append(sids, sid)
		}
	}
	sort.Strings(sids)
	for _, sid := range sids {
		if l.reapOne(sid) {
			count++
		}
	}
	l.pruneResults()
	return count
}

func (l *LRM) reapOne(sid string) bool {
	code, done := l.executor.Finished(sid)
	if !done {
		return false
	}
	cmd := l.jobBySID[sid].command
	delete(l.jobBySID, sid)
	if cmd.UID == "" {
		gone := code == ha.ExitWrongNode && l.deviates(ha.DiffStopElsewhere)
		if code != ha.ExitSuccess && !gone {
			l.stopErrors++
		}
		return true
	}
	if l.stopsServices && (!cmd.State.Moving() || code != ha.ExitSuccess) {
		// It was running when everything had to be stopped, so no stop was queued for it.
		l.queueCommand(Command{SID: sid, State: ha.RequestStop})
	}
	if code = l.applyRestartPolicy(cmd, code); code == ha.ExitTryAgain {
		return true // the manager gets the result when all tries are used up
	}
	l.resultByUID[cmd.UID] = ha.LRMResult{SID: sid, State: cmd.State, ExitCode: code}
	l.hasUnprunedResult = true
	return true
}

func (l *LRM) applyRestartPolicy(cmd Command, code ha.ExitCode) ha.ExitCode {
	if cmd.State != ha.Started {
		return code
	}
	if code != ha.ExitError {
		if code == ha.ExitSuccess {
			delete(l.restartTries, cmd.SID)
		}
		return code
	}
	limit := ha.DefaultMaxRestart
	if services, err := l.env.ReadServiceConfig(); err == nil && services[cmd.SID] != nil {
		limit = services[cmd.SID].MaxRestart
	}
	if l.restartTries[cmd.SID] >= limit {
		l.env.Log(ha.LevelErr,
			fmt.Sprintf("unable to start service %s on local node after %d retries", cmd.SID,
				l.restartTries[cmd.SID]))
		delete(l.restartTries, cmd.SID)
		return code
	}
	l.restartTries[cmd.SID]++
	l.env.Log(ha.LevelWarning,
		fmt.Sprintf("restart policy: retry number %d for service '%s'", l.restartTries[cmd.SID], cmd.SID))
	return ha.ExitTryAgain
}

// pruneResults forgets the results to which no service refers, if there are new ones.
func (l *LRM) pruneResults() {
	if !l.hasUnprunedResult {
		return
	}
	l.hasUnprunedResult = false
	valid := make(map[string]bool, len(l.services))
	for _, sd := range l.services {
		valid[sd.UID] = true
	}
	for uid := range l.resultByUID {
		if !valid[uid] {
			delete(l.resultByUID, uid)
		}
	}
	for uid := range l.startedMoves {
		if _, answered := l.resultByUID[uid]; answered || !valid[uid] {
			delete(l.startedMoves, uid)
		}
	}
}
