package host

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// loop passes events to one incarnation of a process, one at a time.
type loop struct {
	env           *procEnv
	inbox         *inbox
	clock         *clock
	deadlineTimer *time.Timer
}

// newLoop returns the loop of an Env.
func newLoop(e *procEnv) *loop {
	return &loop{env: e, inbox: e.proc.inbox, clock: &e.host.clock, deadlineTimer: time.NewTimer(time.Hour)}
}

// runProcess passes events to the process until it ends, and returns the reason that the process gave.
func (l *loop) runProcess(process env.Process) error {
	defer l.deadlineTimer.Stop()
	for !l.env.hasCalledExit {
		ev, ok := l.nextEvent()
		if !ok {
			return nil
		}
		process.Step(ev)
	}
	return l.env.exitReason
}

// nextEvent waits for an event and returns it: the oldest of what is due or has arrived. It returns false
// once the incarnation has ended.
func (l *loop) nextEvent() (env.Event, bool) {
	timers := &l.env.timers
	for {
		if l.env.incarnation.Pass() != nil {
			return nil, false
		}
		deadline, armed := timers.nextDeadline()
		arrived, queued := l.inbox.oldestArrival()
		now := l.clock.monotonic()
		if armed && deadline <= now && (!queued || deadline <= arrived) {
			return env.TimerFired{ID: timers.popTimer()}, true
		}
		if queued {
			if it, ok := l.inbox.takeItem(); ok {
				return it.event, true
			}
			continue
		}
		l.waitUntil(deadline, armed)
	}
}

// waitUntil blocks until something arrives or the deadline is due.
func (l *loop) waitUntil(deadline time.Duration, armed bool) {
	if !armed {
		<-l.inbox.wakeSignal
		return
	}
	l.deadlineTimer.Reset(l.clock.kernelWait(deadline))
	select {
	case <-l.inbox.wakeSignal:
	case <-l.deadlineTimer.C:
	}
}

// blockingTasks implements env.TaskHost for a backend in which a call of the env interface simply blocks
// its goroutine, so that nothing has to be suspended.
type blockingTasks struct{}

// EnterTask implements env.TaskHost.
func (blockingTasks) EnterTask(func()) {}

// LeaveTask implements env.TaskHost.
func (blockingTasks) LeaveTask() {}

// SuspendLoop implements env.TaskHost.
func (blockingTasks) SuspendLoop() {}
