// Package kernel is the simulator's core: virtual time, the queue of pending events, ties
// between things that happen at one instant, and the digest of the run.
//
// Handlers run one after the other on coroutines. A handler may park itself in the middle (a
// disk call that takes time) and the loop continues without it; nothing ever runs in parallel.
// Package kernel knows nothing of machines or processes and never reads a real clock.
package kernel

import (
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync/atomic"

	"github.com/holdfast-sim/holdfast/sim/choice"
)

// Handler receives events.
type Handler interface {
	// Handle handles an event; code and arg are the scheduler's.
	Handle(code uint32, arg uint64)
}

// MaxAtOneInstant is how many events may happen at one instant before the kernel stops the run:
// something reacts to itself without time passing.
const MaxAtOneInstant = 1_000_000

// Errors that stop a run.
var (
	// ErrLivelock means that time no longer advances.
	ErrLivelock = errors.New("events keep happening at one instant")
	// ErrPanic means that a handler panicked.
	ErrPanic = errors.New("panic")
)

// Kernel runs one simulation.
type Kernel struct {
	Digest *Digest

	now              int64
	runUntil         int64
	lastSeq          uint64
	queue            queue
	readySlots       []uint32 // slots that are due at the present instant, in order
	slab             []slabEvent
	freeSlots        []uint32
	tieDraws         *choice.List
	sameInstantCount int
	stopReason       error
	isDone           bool

	asked         atomic.Bool // by another goroutine; the loop answers before its next event
	interruptedBy atomic.Pointer[error]

	idleWorkers   []*worker
	currentWorker *worker
	resumedPark   *Park
}

type slabEvent struct {
	handler Handler
	code    uint32
	arg     uint64
}

// New returns a kernel at time 0 that draws the order of simultaneous events from choices.
func New(choices *choice.Source) *Kernel {
	return &Kernel{Digest: newDigest(), tieDraws: choices.List("kernel", "tie")}
}

// Now is the virtual time in nanoseconds since the run began.
func (k *Kernel) Now() int64 { return k.now }

// At schedules an event for a time, at the earliest now.
func (k *Kernel) At(at int64, to Handler, code uint32, arg uint64) {
	var slot uint32
	if n := len(k.freeSlots); n > 0 {
		slot = k.freeSlots[n-1]
		k.freeSlots = k.freeSlots[:n-1]
		k.slab[slot] = slabEvent{to, code, arg}
	} else {
		slot = uint32(len(k.slab))
		k.slab = append(k.slab, slabEvent{to, code, arg})
	}
	if at <= k.now && len(k.readySlots) > 0 {
		k.readySlots = append(k.readySlots, slot)
		return
	}
	k.lastSeq++
	k.queue.push(queueEntry{max(at, k.now), k.lastSeq, slot})
}

// After schedules an event for a time from now.
func (k *Kernel) After(d int64, to Handler, code uint32, arg uint64) { k.At(k.now+d, to, code, arg) }

// Stop ends the run after the present handler; nil is an orderly end.
func (k *Kernel) Stop(why error) {
	if !k.isDone {
		k.isDone, k.stopReason = true, why
	}
}

// Stopped reports whether Stop was called.
func (k *Kernel) Stopped() bool { return k.isDone }

// Interrupt ends the run before the next event. It may be called from any goroutine; only the first error
// counts.
func (k *Kernel) Interrupt(why error) {
	k.interruptedBy.CompareAndSwap(nil, &why)
	k.asked.Store(true)
}

// Interrupted returns the error that was passed to Interrupt; nil when there was none.
func (k *Kernel) Interrupted() error {
	if why := k.interruptedBy.Load(); why != nil {
		return *why
	}
	return nil
}

// Ask asks the loop for a sign of life, which it gives before its next event; see Answered. It may be
// called from any goroutine, and costs the loop nothing until then.
func (k *Kernel) Ask() { k.asked.Store(true) }

// Answered reports whether the loop has reached another event since the last Ask.
func (k *Kernel) Answered() bool { return !k.asked.Load() }

// answer gives the sign of life, and stops the loop after an Interrupt.
func (k *Kernel) answer() {
	k.asked.Store(false)
	if why := k.Interrupted(); why != nil {
		k.Stop(why)
	}
}

// Run handles events up to and including a time. It returns the error passed to Stop, or ErrPanic or
// ErrLivelock.
func (k *Kernel) Run(until int64) error {
	k.runUntil = until
	next := k.takeWorker()
	for {
		switch why := next.resume(); why {
		case whyParked:
			next = k.takeWorker()
		case whySwitch:
			k.idleWorkers = append(k.idleWorkers, next)
			next = k.resumedPark.worker
			k.resumedPark = nil
		case whyDone:
			k.idleWorkers = append(k.idleWorkers, next)
			if !k.isDone {
				k.now = until
			}
			return k.stopReason
		}
	}
}

// Close ends the kernel's coroutines. Everything that is parked must have been unwound.
func (k *Kernel) Close() {
	for _, w := range k.idleWorkers {
		w.stopFunc()
	}
	k.idleWorkers = nil
}

// handleEvents handles events until there is a reason to leave it.
func (k *Kernel) handleEvents() (why loopExit) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(unwindPanic); ok {
				why = whyUnwound
				return
			}
			k.Stop(fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack()))
			why = whyDone
		}
	}()
	for {
		if k.asked.Load() {
			k.answer()
		}
		if k.isDone {
			return whyDone
		}
		slot, ok := k.takeNext()
		if !ok {
			return whyDone
		}
		it := k.slab[slot]
		k.slab[slot].handler = nil
		k.freeSlots = append(k.freeSlots, slot)
		it.handler.Handle(it.code, it.arg)
		if k.resumedPark != nil {
			return whySwitch
		}
	}
}

// takeNext removes the next event. It first collects all events of one instant; a draw decides which of
// them is next.
func (k *Kernel) takeNext() (uint32, bool) {
	if len(k.readySlots) == 0 {
		if next := k.queue.peek(); next == nil || next.dueAt > k.runUntil {
			return 0, false
		}
		first := k.queue.pop()
		if first.dueAt != k.now {
			k.now, k.sameInstantCount = first.dueAt, 0
		}
		if !k.countInstant() {
			return 0, false
		}
		next := k.queue.peek()
		if next == nil || next.dueAt != first.dueAt {
			return first.slot, true
		}
		k.readySlots = append(k.readySlots, first.slot)
		for ; next != nil && next.dueAt == first.dueAt; next = k.queue.peek() {
			k.readySlots = append(k.readySlots, k.queue.pop().slot)
		}
	}
	if !k.countInstant() {
		return 0, false
	}
	pick := 0
	if len(k.readySlots) > 1 {
		pick = int(k.tieDraws.Choose(uint64(len(k.readySlots))))
	}
	slot := k.readySlots[pick]
	k.readySlots = append(k.readySlots[:pick], k.readySlots[pick+1:]...)
	return slot, true
}

func (k *Kernel) countInstant() bool {
	if k.sameInstantCount++; k.sameInstantCount > MaxAtOneInstant {
		k.Stop(fmt.Errorf("%w: more than %d at %d ns", ErrLivelock, MaxAtOneInstant, k.now))
		return false
	}
	return true
}

// Advance moves the time forward by d ns for the running handler, unless another event is due by then.
// It reports whether it did; otherwise the handler must park.
func (k *Kernel) Advance(d int64) bool {
	to := k.now + d
	if len(k.readySlots) > 0 || to > k.runUntil {
		return false
	}
	if next := k.queue.peek(); next != nil && next.dueAt <= to {
		return false
	}
	k.now, k.sameInstantCount = to, 0
	return true
}

// Coroutines.

type loopExit uint8

const (
	whyDone    loopExit = iota // nothing more to do
	whyParked                  // a handler waits; another worker must run the loop
	whySwitch                  // a parked handler continues
	whyUnwound                 // a parked handler was unwound
)

// unwindPanic is the panic that unwinds a parked handler.
type unwindPanic struct{}

// worker is a coroutine that runs the loop.
type worker struct {
	resumeFunc func() (loopExit, bool)
	stopFunc   func()
	yieldFunc  func(loopExit) bool
}

func (k *Kernel) takeWorker() *worker {
	if n := len(k.idleWorkers); n > 0 {
		w := k.idleWorkers[n-1]
		k.idleWorkers = k.idleWorkers[:n-1]
		k.currentWorker = w
		return w
	}
	w := &worker{}
	w.resumeFunc, w.stopFunc = iter.Pull(func(yield func(loopExit) bool) {
		w.yieldFunc = yield
		for yield(k.handleEvents()) {
		}
	})
	k.currentWorker = w
	return w
}

func (w *worker) resume() loopExit {
	why, ok := w.resumeFunc()
	if !ok {
		panic("kernel: a worker ended")
	}
	return why
}

// Park is a place where a handler waits.
type Park struct {
	worker *worker
	unwind bool
}

// Waiting reports whether a handler waits here.
func (p *Park) Waiting() bool { return p.worker != nil }

// Wait parks the running handler until Resume or Unwind.
func (k *Kernel) Wait(p *Park) {
	w := k.currentWorker
	p.worker, p.unwind = w, false
	w.yieldFunc(whyParked)
	k.currentWorker = w
	p.worker = nil
	if p.unwind {
		panic(unwindPanic{})
	}
}

// Resume continues a parked handler as soon as the running handler has returned.
func (k *Kernel) Resume(p *Park) {
	if p.worker == nil || k.resumedPark != nil {
		panic("kernel: resuming what is not parked, or two at once")
	}
	k.resumedPark = p
}

// Unwind makes a parked handler panic out of its wait, up to the loop, before it returns.
func (k *Kernel) Unwind(p *Park) {
	w, caller := p.worker, k.currentWorker
	p.unwind = true
	if why := w.resume(); why != whyUnwound {
		panic("kernel: an unwound handler went on; it must not recover foreign panics")
	}
	k.currentWorker = caller
	k.idleWorkers = append(k.idleWorkers, w)
}
