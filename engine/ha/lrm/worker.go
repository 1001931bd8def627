package lrm

import (
	"fmt"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Command is one order of the manager for one service.
type Command struct {
	SID string
	// UID identifies the order; "" for the LRM's own stop jobs at shutdown.
	UID string
	// State is the state the manager put the service in.
	State ha.ServiceState
	// Target of a move.
	Target string
	// TimeoutSeconds of a stop, nil for the default.
	TimeoutSeconds *ha.Int
}

// Executor runs commands: inline, or in workers of their own of which at most MaxWorkers run at
// once.
//
// The LRM starts a command at most once until its result is taken, and never two for one service at
// the same time. Once started, a command runs to its end even if the LRM exits; whoever makes the
// next LRM must wait for that end or the result would be lost.
type Executor interface {
	// MaxWorkers bounds the commands that run at once; 0 means that Start runs the command to its
	// end.
	MaxWorkers() int
	// Start begins a command, false when it could not.
	Start(Command) bool
	// Finished returns the result of a started command once it has one, and forgets the command.
	Finished(sid string) (ha.ExitCode, bool)
	// Wait lets up to this many seconds pass, less when a command finishes sooner. Not called when
	// MaxWorkers is 0.
	Wait(seconds int)
}

// workerSeconds is how long one round waits for workers at most, and maxWaits how often, should the
// clock stand still.
const (
	workerSeconds = 8
	maxWaits      = 1000
)

// job is a queued or running command.
type job struct {
	command Command
	running bool
	// waited counts the rounds the job wanted to start and could not.
	waited int
}

// manage queues what the manager wants of the services on this node, and runs it.
func (l *LRM) manage() {
	for sid := range l.tries {
		if l.services[sid] == nil {
			delete(l.tries, sid)
		}
	}
	for sid, j := range l.jobs {
		if sd := l.services[sid]; !j.running && j.command.UID != "" && !l.mine(sd) {
			delete(l.jobs, sid) // the manager has changed its mind since
		}
	}
	l.answerArrived()
	sids := make([]string, 0, len(l.services))
	for sid := range l.services {
		sids = append(sids, sid)
	}
	sort.Strings(sids)
	for _, sid := range sids {
		if sd := l.services[sid]; l.mine(sd) {
			l.queue(Command{
				SID: sid, UID: sd.UID, State: sd.State, Target: sd.Target, TimeoutSeconds: sd.TimeoutSeconds,
			})
		}
	}
	l.runJobs()
}

// mine tells whether a service is on this node and in a state that asks something of its LRM.
func (l *LRM) mine(sd *ha.ServiceStatus) bool {
	if sd == nil || sd.Node != l.env.NodeName() || sd.UID == "" {
		return false
	}
	switch sd.State {
	case ha.Recovery, ha.Freeze, ha.RequestStart, ha.Fence:
		return false
	}
	return true
}

// finishJobs forgets what has not begun, lets the rest come to its end, and returns how many jobs
// are left.
func (l *LRM) finishJobs() int {
	for sid, j := range l.jobs {
		if !j.running {
			delete(l.jobs, sid)
		}
	}
	return l.runJobs()
}

// queue remembers a command. A command with a result is not done again, or manager and LRM would
// disagree about which of the two results counts; stopping is the exception, it is enforced for
// ever and nobody reads the result.
func (l *LRM) queue(cmd Command) {
	if cmd.State != ha.Stopped && cmd.UID != "" {
		if _, done := l.results[cmd.UID]; done {
			return
		}
	}
	waited := 0
	if old := l.jobs[cmd.SID]; old != nil {
		if old.running {
			return
		}
		waited = old.waited
	}
	l.jobs[cmd.SID] = &job{command: cmd, waited: waited}
}

// runJobs starts what may start, takes over results, and returns how many jobs are left.
func (l *LRM) runJobs() int {
	start := l.env.NowSeconds()
	for try, stalled := 0, false; try < maxWaits; try++ {
		if l.reap() == 0 && stalled {
			break // neither time nor work goes on
		}
		l.startJobs()
		if l.exec.MaxWorkers() > 0 {
			l.reap()
		}
		if len(l.jobs) == 0 || l.exec.MaxWorkers() == 0 {
			break
		}
		before := l.env.NowSeconds()
		left := workerSeconds - (before - start)
		if left <= 0 {
			break
		}
		l.exec.Wait(int(left))
		stalled = l.env.NowSeconds() == before
	}
	for _, j := range l.jobs {
		if !j.running {
			j.waited++
		}
	}
	return len(l.jobs)
}

// startJobs starts jobs in the order of how long they have waited, so that none waits for ever.
func (l *LRM) startJobs() {
	running := 0
	var waiting []*job
	for _, j := range l.jobs {
		if j.running {
			running++
		} else {
			waiting = append(waiting, j)
		}
	}
	sort.Slice(waiting, func(a, b int) bool {
		if waiting[a].waited != waiting[b].waited {
			return waiting[a].waited > waiting[b].waited
		}
		return waiting[a].command.SID < waiting[b].command.SID
	})
	limit := l.exec.MaxWorkers()
	for _, j := range waiting {
		if limit > 0 && running >= limit {
			return
		}
		if !l.announce(j.command) {
			continue // again in the next round
		}
		if !l.exec.Start(j.command) {
			l.env.Log(ha.LevelErr, "starting resource command failed: "+j.command.SID)
			return // again in the next round
		}
		j.running = true
		running++
		if limit == 0 {
			l.reapOne(j.command.SID)
			l.pruneResults()
		}
	}
}

// reap takes over the results there are and returns how many.
func (l *LRM) reap() (count int) {
	sids := make([]string, 0, len(l.jobs))
	for sid, j := range l.jobs {
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
	code, done := l.exec.Finished(sid)
	if !done {
		return false
	}
	cmd := l.jobs[sid].command
	delete(l.jobs, sid)
	if cmd.UID == "" {
		if code != ha.ExitSuccess {
			l.stopErrors++
		}
		return true
	}
	if l.stopping && (!cmd.State.Moving() || code != ha.ExitSuccess) {
		// It was under way when everything was to be stopped, so no stop was queued for it.
		l.queue(Command{SID: sid, State: ha.RequestStop})
	}
	if code = l.applyRestartPolicy(cmd, code); code == ha.ExitTryAgain {
		return true // the manager hears of it when all tries are used up
	}
	l.results[cmd.UID] = ha.LRMResult{SID: sid, State: cmd.State, ExitCode: code}
	l.unpruned = true
	return true
}

func (l *LRM) applyRestartPolicy(cmd Command, code ha.ExitCode) ha.ExitCode {
	if cmd.State != ha.Started {
		return code
	}
	if code != ha.ExitError {
		if code == ha.ExitSuccess {
			delete(l.tries, cmd.SID)
		}
		return code
	}
	limit := ha.DefaultMaxRestart
	if services, err := l.env.ReadServiceConfig(); err == nil && services[cmd.SID] != nil {
		limit = services[cmd.SID].MaxRestart
	}
	if l.tries[cmd.SID] >= limit {
		l.env.Log(ha.LevelErr,
			fmt.Sprintf("unable to start service %s on local node after %d retries", cmd.SID, l.tries[cmd.SID]))
		delete(l.tries, cmd.SID)
		return code
	}
	l.tries[cmd.SID]++
	l.env.Log(ha.LevelWarning,
		fmt.Sprintf("restart policy: retry number %d for service '%s'", l.tries[cmd.SID], cmd.SID))
	return ha.ExitTryAgain
}

// pruneResults forgets the results that no service refers to, when there are new ones.
func (l *LRM) pruneResults() {
	if !l.unpruned {
		return
	}
	l.unpruned = false
	valid := make(map[string]bool, len(l.services))
	for _, sd := range l.services {
		valid[sd.UID] = true
	}
	for uid := range l.results {
		if !valid[uid] {
			delete(l.results, uid)
		}
	}
	for uid := range l.begun {
		if _, answered := l.results[uid]; answered || !valid[uid] {
			delete(l.begun, uid)
		}
	}
}
