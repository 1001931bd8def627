package env

import (
	"iter"
	"time"
)

// Tasks runs code of one process in blocking style. Each [Task] is a coroutine that the process's loop
// resumes, so only one of them runs at a time, in the order of the events. Create Tasks in Start and pass
// every event to [Tasks.Step].
type Tasks struct {
	env    Env
	host   TaskHost // nil where disk calls simply block
	first  TimerID
	live   []*Task // by slot; the slot is the timer's offset
	inTask *Task
}

// MaxTasks bounds the tasks of one process that exist at the same time.
const MaxTasks = 4096

// TaskHost is implemented by an Env whose disk calls suspend the process instead of blocking the thread.
// Tasks uses it, so that a disk call in a task suspends the whole process, as it does outside of tasks.
// Protocol code must not use it.
type TaskHost interface {
	// EnterTask notes that a task runs now. To suspend, call hop, which switches to the loop's stack.
	EnterTask(hop func())
	// LeaveTask notes that the loop's own stack runs again.
	LeaveTask()
	// SuspendLoop carries out the suspension for which the task hopped.
	SuspendLoop()
	EndNotifier
}

// EndNotifier is implemented by an Env that can call back when the process ends. A process that holds
// something that the garbage collector does not see (memory outside of Go's heap, a coroutine) asks the
// Env that Start gets for it, and must also work where the Env does not implement it.
type EndNotifier interface {
	// AtEnd registers a function that is called once, after the last Step, when this incarnation of the
	// process ends for whatever reason: Exit, a kill in the middle of a disk call, a power cut.
	// Functions run in the order of their registration, on the process's loop. They must not use the
	// Env: its disk is dead by then, and a process that ended promises nothing any longer. When the
	// operating-system process itself is killed nothing is called.
	AtEnd(release func())
}

// Task is one coroutine. Only its own body may call its waiting methods.
type Task struct {
	tasks *Tasks
	slot  int
	next  func() (hopReason, bool)
	stop  func()
	yield func(hopReason) bool
	woken bool // by a signal, as opposed to the timer
	on    *Signal
}

// hopReason is why a task gives control back to the loop.
type hopReason uint8

const (
	hopWait    hopReason = iota // the task waits for its timer or a signal
	hopSuspend                  // the world suspends the process
)

// taskEnded unwinds the task of an ended process.
type taskEnded struct{}

// NewTasks returns the tasks of a process. The timer ids from firstTimer to firstTimer+MaxTasks-1 belong
// to them.
func NewTasks(e Env, firstTimer TimerID) *Tasks {
	ts := &Tasks{env: e, first: firstTimer}
	if host, ok := e.(TaskHost); ok {
		ts.host = host
		host.AtEnd(ts.release)
	}
	return ts
}

// Go starts a task. Its body runs at once, up to its first wait. It panics if MaxTasks tasks exist.
func (ts *Tasks) Go(body func(*Task)) {
	t := &Task{tasks: ts, slot: ts.freeSlot()}
	ts.live[t.slot] = t
	t.next, t.stop = iter.Pull(func(yield func(hopReason) bool) {
		defer func() {
			if p := recover(); p != nil {
				if _, ended := p.(taskEnded); !ended {
					panic(p)
				}
			}
		}()
		t.yield = yield
		body(t)
	})
	ts.resume(t)
}

// freeSlot returns the index of an unused slot.
func (ts *Tasks) freeSlot() int {
	for i, t := range ts.live {
		if t == nil {
			return i
		}
	}
	if len(ts.live) >= MaxTasks {
		panic("env: more tasks than MaxTasks are alive: a task leaks")
	}
	ts.live = append(ts.live, nil)
	return len(ts.live) - 1
}

// Step handles an event if it belongs to a task, and reports whether it does.
func (ts *Tasks) Step(ev Event) bool {
	fired, ok := ev.(TimerFired)
	if !ok || fired.ID < ts.first || fired.ID >= ts.first+MaxTasks {
		return false
	}
	slot := int(fired.ID - ts.first)
	if slot < len(ts.live) && ts.live[slot] != nil {
		t := ts.live[slot]
		if t.on != nil {
			t.on.forget(t)
			t.on = nil
		}
		ts.resume(t)
	}
	return true
}

// resume runs a task until it waits or ends.
func (ts *Tasks) resume(t *Task) {
	outer := ts.inTask
	ts.inTask = t
	finished := false
	defer func() {
		ts.inTask = outer
		if !finished { // unwinding: the process has ended while the task was suspended
			t.stop()
		}
	}()
	for {
		why, alive := ts.run(t)
		if alive && why == hopSuspend {
			ts.host.SuspendLoop()
			continue
		}
		if !alive {
			ts.env.StopTimer(ts.first + TimerID(t.slot))
			ts.live[t.slot] = nil
		}
		finished = true
		return
	}
}

// run runs a task until it hops, and returns why; false if its body has returned.
func (ts *Tasks) run(t *Task) (hopReason, bool) {
	if ts.host != nil {
		ts.host.EnterTask(func() { t.hop(hopSuspend) })
		defer ts.host.LeaveTask()
	}
	return t.next()
}

// release unwinds all tasks.
func (ts *Tasks) release() {
	for _, t := range ts.live {
		if t != nil && t != ts.inTask {
			t.stop()
		}
	}
	ts.live = nil
}

// hop gives control back to the loop. It panics with taskEnded if the process has ended meanwhile.
func (t *Task) hop(why hopReason) {
	if !t.yield(why) {
		panic(taskEnded{})
	}
}

// Sleep waits for a duration on the monotonic clock.
func (t *Task) Sleep(d time.Duration) {
	t.tasks.env.SetTimer(t.tasks.first+TimerID(t.slot), d)
	t.hop(hopWait)
}

// Signal wakes tasks that wait for it. The zero value is ready.
type Signal struct{ waiting []*Task }

// Wait waits until the signal is raised and returns true, or until the timeout has passed and returns
// false. A timeout of 0 or less waits without limit.
func (t *Task) Wait(s *Signal, timeout time.Duration) bool {
	s.waiting = append(s.waiting, t)
	t.on, t.woken = s, false
	if timeout > 0 {
		t.tasks.env.SetTimer(t.tasks.first+TimerID(t.slot), timeout)
	}
	t.hop(hopWait)
	return t.woken
}

// Raise wakes all tasks that wait now, in the order in which they started to wait. They run before Raise
// returns, unless a task calls Raise: then each runs as a due timer.
func (s *Signal) Raise() {
	waiting := s.waiting
	s.waiting = nil
	for _, t := range waiting {
		t.on, t.woken = nil, true
		timer := t.tasks.first + TimerID(t.slot)
		if t.tasks.inTask != nil {
			t.tasks.env.SetTimer(timer, 0)
			continue
		}
		t.tasks.env.StopTimer(timer)
		t.tasks.resume(t)
	}
}

// forget removes a task from those that wait.
func (s *Signal) forget(t *Task) {
	for i, w := range s.waiting {
		if w == t {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
}
