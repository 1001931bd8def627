package host

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// loop passes events to one incarnation of a process, one at a time.
type loop struct {
	env   *procEnv
	inbox *inbox
	clock *clock
	alarm *time.Timer
}

// newLoop returns the loop of an Env.
func newLoop(e *procEnv) *loop {
	return &loop{env: e, inbox: e.proc.inbox, clock: &e.host.clock, alarm: time.NewTimer(time.Hour)}
}

// run passes events to the process until it ends, and returns the reason that the process gave.
func (l *loop) run(process env.Process) error {
	defer l.alarm.Stop()
	for !l.env.exiting {
		ev, ok := l.next()
		if !ok {
			return nil
		}
		process.Step(ev)
	}
	return l.env.reason
}

// next waits for an event and returns it: the oldest of what is due or has arrived. It returns false once
// the incarnation has ended.
func (l *loop) next() (env.Event, bool) {
	timers := &l.env.timers
	for {
		if l.env.incarnation.Pass() != nil {
			return nil, false
		}
		deadline, armed := timers.first()
		arrived, queued := l.inbox.peek()
		now := l.clock.mono()
		if armed && deadline <= now && (!queued || deadline <= arrived) {
			return env.TimerFired{ID: timers.pop()}, true
		}
		if queued {
			if it, ok := l.inbox.take(); ok {
				return it.event, true
			}
			continue
		}
		l.wait(deadline, armed)
	}
}

// wait blocks until something arrives or the deadline is due.
func (l *loop) wait(deadline time.Duration, armed bool) {
	if !armed {
		<-l.inbox.wake
		return
	}
	l.alarm.Reset(l.clock.until(deadline))
	select {
	case <-l.inbox.wake:
	case <-l.alarm.C:
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
