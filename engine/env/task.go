package env

import (
	"iter"
	"time"
)

// Tasks runs code of one process in blocking style. Each [Task] is a coroutine that the process's loop
// resumes, so only one of them runs at a time, in the order of the events. Create Tasks in Start and pass
// every event to [Tasks.Step].
type Tasks struct {
	env         Env
	host        TaskHost // nil where disk calls simply block
	firstTimer  TimerID
	liveTasks   []*Task // by slot; the slot is the timer's offset
	currentTask *Task
	// idle are coroutines whose tasks have ended, for the next tasks: one that has run has a stack of the
	// size that it needs. They are kept where the host calls back at the process's end, which ends them.
	idle  []*coroutine
	ended bool
}

// MaxTasks bounds the tasks of one process that exist at the same time.
const MaxTasks = 4096

// maxIdleCoroutines bounds the coroutines that wait for a task.
const maxIdleCoroutines = 64

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

// Task is one body that runs on a coroutine. Only its own body may call its waiting methods.
type Task struct {
	tasks         *Tasks
	timerSlot     int
	coroutine     *coroutine
	wokenBySignal bool // by a signal, as opposed to the timer
	awaitedSignal *Signal
}

// coroutine runs bodies of tasks, one after the other.
type coroutine struct {
	body       func()
	resumeFunc func() (yieldReason, bool)
	stopFunc   func()
	yieldFunc  func(yieldReason) bool
}

func newCoroutine() *coroutine {
	c := &coroutine{}
	c.resumeFunc, c.stopFunc = iter.Pull(func(yield func(yieldReason) bool) {
		c.yieldFunc = yield
		for c.runBody() && yield(yieldEnded) {
		}
	})
	return c
}

// runBody runs one body, and reports whether it returned; false if the process has ended.
func (c *coroutine) runBody() (returned bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ended := p.(taskEnded); !ended {
				panic(p)
			}
		}
	}()
	c.body()
	return true
}

// yieldReason is why a task gives control back to the loop.
type yieldReason uint8

const (
	yieldWait    yieldReason = iota // the task waits for its timer or a signal
	yieldSuspend                    // the world suspends the process
	yieldEnded                      // the body has returned
)

// taskEnded unwinds the task of an ended process.
type taskEnded struct{}

// NewTasks returns the tasks of a process. The timer ids from firstTimer to firstTimer+MaxTasks-1 belong
// to them.
func NewTasks(e Env, firstTimer TimerID) *Tasks {
	ts := &Tasks{env: e, firstTimer: firstTimer}
	if host, ok := e.(TaskHost); ok {
		ts.host = host
		host.AtEnd(ts.unwindAll)
	}
	return ts
}

// Go starts a task. Its body runs at once, up to its first wait. It panics if MaxTasks tasks exist.
func (ts *Tasks) Go(body func(*Task)) {
	t := &Task{tasks: ts, timerSlot: ts.freeSlot(), coroutine: ts.takeCoroutine()}
	ts.liveTasks[t.timerSlot] = t
	t.coroutine.body = func() { body(t) }
	ts.resumeTask(t)
}

func (ts *Tasks) takeCoroutine() *coroutine {
	n := len(ts.idle)
	if n == 0 {
		return newCoroutine()
	}
	c := ts.idle[n-1]
	ts.idle = ts.idle[:n-1]
	return c
}

// endTask takes back what a task had whose body has returned.
func (ts *Tasks) endTask(t *Task) {
	ts.env.StopTimer(ts.firstTimer + TimerID(t.timerSlot))
	ts.liveTasks[t.timerSlot] = nil
	t.coroutine.body = nil
	if ts.host == nil || ts.ended || len(ts.idle) >= maxIdleCoroutines {
		t.coroutine.stopFunc()
		return
	}
	ts.idle = append(ts.idle, t.coroutine)
}

// freeSlot returns the index of an unused slot.
func (ts *Tasks) freeSlot() int {
	for i, t := range ts.liveTasks {
		if t == nil {
			return i
		}
	}
	if len(ts.liveTasks) >= MaxTasks {
		panic("env: more tasks than MaxTasks are alive: a task leaks")
	}
	ts.liveTasks = append(ts.liveTasks, nil)
	return len(ts.liveTasks) - 1
}

// Step handles an event if it belongs to a task, and reports whether it does.
func (ts *Tasks) Step(ev Event) bool {
	fired, ok := ev.(TimerFired)
	if !ok || fired.ID < ts.firstTimer || fired.ID >= ts.firstTimer+MaxTasks {
		return false
	}
	slot := int(fired.ID - ts.firstTimer)
	if slot < len(ts.liveTasks) && ts.liveTasks[slot] != nil {
		t := ts.liveTasks[slot]
		if t.awaitedSignal != nil {
			t.awaitedSignal.removeWaiter(t)
			t.awaitedSignal = nil
		}
		ts.resumeTask(t)
	}
	return true
}

// resumeTask runs a task until it waits or ends.
func (ts *Tasks) resumeTask(t *Task) {
	outer := ts.currentTask
	ts.currentTask = t
	finished := false
	defer func() {
		ts.currentTask = outer
		if !finished { // unwinding: the process has ended while the task was suspended
			t.coroutine.stopFunc()
		}
	}()
	for {
		why := ts.runUntilYield(t)
		if why == yieldSuspend {
			ts.host.SuspendLoop()
			continue
		}
		if why == yieldEnded {
			ts.endTask(t)
		}
		finished = true
		return
	}
}

// runUntilYield runs a task until it gives control back, and returns why.
func (ts *Tasks) runUntilYield(t *Task) yieldReason {
	if ts.host != nil {
		ts.host.EnterTask(func() { t.yieldToLoop(yieldSuspend) })
		defer ts.host.LeaveTask()
	}
	why, alive := t.coroutine.resumeFunc()
	if !alive {
		return yieldEnded
	}
	return why
}

// unwindAll unwinds all tasks and ends the idle coroutines.
func (ts *Tasks) unwindAll() {
	for _, t := range ts.liveTasks {
		if t != nil && t != ts.currentTask {
			t.coroutine.stopFunc()
		}
	}
	for _, c := range ts.idle {
		c.stopFunc()
	}
	ts.liveTasks, ts.idle, ts.ended = nil, nil, true
}

// yieldToLoop gives control back to the loop. It panics with taskEnded if the process has ended meanwhile.
func (t *Task) yieldToLoop(why yieldReason) {
	if !t.coroutine.yieldFunc(why) {
		panic(taskEnded{})
	}
}

// Sleep waits for a duration on the monotonic clock.
func (t *Task) Sleep(d time.Duration) {
	t.tasks.env.SetTimer(t.tasks.firstTimer+TimerID(t.timerSlot), d)
	t.yieldToLoop(yieldWait)
}

// Signal wakes tasks that wait for it. The zero value is ready.
type Signal struct{ waitingTasks []*Task }

// Wait waits until the signal is raised and returns true, or until the timeout has passed and returns
// false. A timeout of 0 or less waits without limit.
func (t *Task) Wait(s *Signal, timeout time.Duration) bool {
	s.waitingTasks = append(s.waitingTasks, t)
	t.awaitedSignal, t.wokenBySignal = s, false
	if timeout > 0 {
		t.tasks.env.SetTimer(t.tasks.firstTimer+TimerID(t.timerSlot), timeout)
	}
	t.yieldToLoop(yieldWait)
	return t.wokenBySignal
}

// Raise wakes all tasks that wait now, in the order in which they started to wait. They run before Raise
// returns, unless a task calls Raise: then each runs as a due timer.
func (s *Signal) Raise() {
	waiting := s.waitingTasks
	s.waitingTasks = nil
	for _, t := range waiting {
		t.awaitedSignal, t.wokenBySignal = nil, true
		timer := t.tasks.firstTimer + TimerID(t.timerSlot)
		if t.tasks.currentTask != nil {
			t.tasks.env.SetTimer(timer, 0)
			continue
		}
		t.tasks.env.StopTimer(timer)
		t.tasks.resumeTask(t)
	}
}

// removeWaiter removes a task from those that wait.
func (s *Signal) removeWaiter(t *Task) {
	for i, w := range s.waitingTasks {
		if w == t {
			s.waitingTasks = append(s.waitingTasks[:i], s.waitingTasks[i+1:]...)
			return
		}
	}
}
