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

	now     int64
	until   int64
	seq     uint64
	queue   queue
	ready   []uint32 // slots that are due at the present instant, in order
	slab    []item
	free    []uint32
	ties    *choice.List
	atOnce  int
	stopped error
	done    bool

	idle     []*worker
	current  *worker
	switchTo *Park
}

type item struct {
	to   Handler
	code uint32
	arg  uint64
}

// New returns a kernel at time 0 that draws the order of simultaneous events from choices.
func New(choices *choice.Source) *Kernel {
	return &Kernel{Digest: newDigest(), ties: choices.List("kernel", "tie")}
}

// Now is the virtual time in nanoseconds since the run began.
func (k *Kernel) Now() int64 { return k.now }

// At schedules an event for a time, at the earliest now.
func (k *Kernel) At(at int64, to Handler, code uint32, arg uint64) {
	var slot uint32
	if n := len(k.free); n > 0 {
		slot = k.free[n-1]
		k.free = k.free[:n-1]
		k.slab[slot] = item{to, code, arg}
	} else {
		slot = uint32(len(k.slab))
		k.slab = append(k.slab, item{to, code, arg})
	}
	if at <= k.now && len(k.ready) > 0 {
		k.ready = append(k.ready, slot)
		return
	}
	k.seq++
	k.queue.push(entry{max(at, k.now), k.seq, slot})
}

// After schedules an event for a time from now.
func (k *Kernel) After(d int64, to Handler, code uint32, arg uint64) { k.At(k.now+d, to, code, arg) }

// Stop ends the run after the present handler; nil is an orderly end.
func (k *Kernel) Stop(why error) {
	if !k.done {
		k.done, k.stopped = true, why
	}
}

// Stopped reports whether Stop was called.
func (k *Kernel) Stopped() bool { return k.done }

// Run handles events up to and including a time. It returns the error passed to Stop, or ErrPanic or
// ErrLivelock.
func (k *Kernel) Run(until int64) error {
	k.until = until
	next := k.worker()
	for {
		switch why := next.resume(); why {
		case whyParked:
			next = k.worker()
		case whySwitch:
			k.idle = append(k.idle, next)
			next = k.switchTo.worker
			k.switchTo = nil
		case whyDone:
			k.idle = append(k.idle, next)
			if !k.done {
				k.now = until
			}
			return k.stopped
		}
	}
}

// Close ends the kernel's coroutines. Everything that is parked must have been unwound.
func (k *Kernel) Close() {
	for _, w := range k.idle {
		w.stop()
	}
	k.idle = nil
}

// loop handles events until there is a reason to leave it.
func (k *Kernel) loop() (why reason) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(unwinding); ok {
				why = whyUnwound
				return
			}
			k.Stop(fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack()))
			why = whyDone
		}
	}()
	for !k.done {
		slot, ok := k.takeNext()
		if !ok {
			return whyDone
		}
		it := k.slab[slot]
		k.slab[slot].to = nil
		k.free = append(k.free, slot)
		it.to.Handle(it.code, it.arg)
		if k.switchTo != nil {
			return whySwitch
		}
	}
	return whyDone
}

// takeNext removes the next event. It first collects all events of one instant; a draw decides which of
// them is next.
func (k *Kernel) takeNext() (uint32, bool) {
	if len(k.ready) == 0 {
		if len(k.queue.entries) == 0 || k.queue.entries[0].at > k.until {
			return 0, false
		}
		first := k.queue.pop()
		if first.at != k.now {
			k.now, k.atOnce = first.at, 0
		}
		if !k.countInstant() {
			return 0, false
		}
		if len(k.queue.entries) == 0 || k.queue.entries[0].at != first.at {
			return first.slot, true
		}
		k.ready = append(k.ready, first.slot)
		for len(k.queue.entries) > 0 && k.queue.entries[0].at == first.at {
			k.ready = append(k.ready, k.queue.pop().slot)
		}
	}
	if !k.countInstant() {
		return 0, false
	}
	pick := 0
	if len(k.ready) > 1 {
		pick = int(k.ties.Choose(uint64(len(k.ready))))
	}
	slot := k.ready[pick]
	k.ready = append(k.ready[:pick], k.ready[pick+1:]...)
	return slot, true
}

func (k *Kernel) countInstant() bool {
	if k.atOnce++; k.atOnce > MaxAtOneInstant {
		k.Stop(fmt.Errorf("%w: more than %d at %d ns", ErrLivelock, MaxAtOneInstant, k.now))
		return false
	}
	return true
}

// Advance moves the time forward by d ns for the running handler, unless another event is due by then.
// It reports whether it did; otherwise the handler must park.
func (k *Kernel) Advance(d int64) bool {
	to := k.now + d
	if len(k.ready) > 0 || to > k.until || len(k.queue.entries) > 0 && k.queue.entries[0].at <= to {
		return false
	}
	k.now, k.atOnce = to, 0
	return true
}

// Coroutines.

type reason uint8

const (
	whyDone    reason = iota // nothing more to do
	whyParked                // a handler waits; another worker must run the loop
	whySwitch                // a parked handler continues
	whyUnwound               // a parked handler was unwound
)

// unwinding is the panic that unwinds a parked handler.
type unwinding struct{}

// worker is a coroutine that runs the loop.
type worker struct {
	next  func() (reason, bool)
	stop  func()
	yield func(reason) bool
}

func (k *Kernel) worker() *worker {
	if n := len(k.idle); n > 0 {
		w := k.idle[n-1]
		k.idle = k.idle[:n-1]
		k.current = w
		return w
	}
	w := &worker{}
	w.next, w.stop = iter.Pull(func(yield func(reason) bool) {
		w.yield = yield
		for yield(k.loop()) {
		}
	})
	k.current = w
	return w
}

func (w *worker) resume() reason {
	why, ok := w.next()
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
	w := k.current
	p.worker, p.unwind = w, false
	w.yield(whyParked)
	k.current = w
	p.worker = nil
	if p.unwind {
		panic(unwinding{})
	}
}

// Resume continues a parked handler as soon as the running handler has returned.
func (k *Kernel) Resume(p *Park) {
	if p.worker == nil || k.switchTo != nil {
		panic("kernel: resuming what is not parked, or two at once")
	}
	k.switchTo = p
}

// Unwind makes a parked handler panic out of its wait, up to the loop, before it returns.
func (k *Kernel) Unwind(p *Park) {
	w, caller := p.worker, k.current
	p.unwind = true
	if why := w.resume(); why != whyUnwound {
		panic("kernel: an unwound handler went on; it must not recover foreign panics")
	}
	k.current = caller
	k.idle = append(k.idle, w)
}
