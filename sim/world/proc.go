package world

import (
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Proc is one process of a machine. It is the process's env.Env.
type Proc struct {
	machine        *Machine
	spec           *scenarios.ProcessSpec
	index          uint32
	peers          []*Proc // the process of this name on every machine
	stepCosts      *choice.List
	eventOrder     *choice.List
	localLatencies *choice.List

	process     env.Process
	up          bool
	generation  uint64 // changes at every start and end
	incarnation uint64
	paused      int
	killed      int // active kill faults; while there are any, no automatic restart
	exit        error

	stepping   bool
	busyUntil  int64
	deliveryAt int64 // time of a scheduled pump, -1 when there is none
	timers     timers
	dueTimers  int
	inbox      inbox

	park         kernel.Park
	wakeHeld     bool // a wait ended while the process was paused
	taskSwitches []func()
	atEnd        []func()

	rands            map[string]*draw.Entropy
	logger           *slog.Logger
	ops              map[env.OpID]*call
	lastOp           env.OpID
	lastLocalArrival map[*Proc]int64 // when the last message to each neighbour arrives
	files            int
}

// Event codes.
const (
	codePacket = iota
	codeTimer
	codeDeliver
	codeWake
	codeStart
)

// A local message takes at least localLatencyMin and less than localLatencySpan more.
const (
	localLatencyMin  = 2 * time.Microsecond
	localLatencySpan = 4 * time.Microsecond
)

func newProc(m *Machine, spec *scenarios.ProcessSpec) *Proc {
	w := m.world
	p := &Proc{machine: m, spec: spec, index: uint32(len(w.procs)), deliveryAt: -1}
	stream := "process/" + m.name + "/" + spec.Name
	p.stepCosts, p.eventOrder = w.Choices.List(stream, "cost"), w.Choices.List(stream, "order")
	p.localLatencies = w.Choices.List(stream, "local")
	p.timers.proc = p
	w.procs = append(w.procs, p)
	return p
}

func (p *Proc) world() *World { return p.machine.world }

// Up reports whether the process runs.
func (p *Proc) Up() bool { return p.up }

// Handle implements kernel.Handler.
func (p *Proc) Handle(code uint32, arg uint64) {
	switch code {
	case codePacket:
		p.arrive(uint32(arg))
	case codeTimer:
		if p.up && p.timers.expire(arg) {
			p.deliverNext()
		}
	case codeDeliver:
		if p.deliveryAt == p.world().Kernel.Now() {
			p.deliveryAt = -1
			p.deliverNext()
		}
	case codeWake:
		p.wake(arg)
	case codeStart:
		if arg == p.generation && !p.up && p.machine.on && p.killed == 0 {
			p.start()
		}
	}
}

// start begins a new incarnation of the process.
func (p *Proc) start() {
	if p.up {
		return
	}
	w := p.world()
	p.generation++
	p.incarnation++
	p.up, p.exit, p.busyUntil, p.deliveryAt, p.wakeHeld = true, nil, 0, -1, false
	p.timers.reset()
	p.inbox.reset()
	p.rands, p.logger = map[string]*draw.Entropy{}, nil
	p.ops, p.lastLocalArrival = map[env.OpID]*call{}, map[*Proc]int64{}
	p.process = p.spec.New()
	w.note(p, noteStart, p.incarnation, 0)
	for _, other := range p.machine.procs {
		if other != p && other.up {
			w.local(other, p, packetUp, nil)
			w.local(p, other, packetUp, nil)
		}
	}
	p.run(func() {
		if err := p.process.Start(p); err != nil {
			w.logf(p.machine, p.spec.Name, "process cannot start: %v", err)
			p.exit = err
		}
	})
}

// scheduleStart schedules a start, also one without delay: a start may wait for the disk, so it must
// not run inside another process's handler.
func (p *Proc) scheduleStart(after time.Duration) {
	p.world().Kernel.After(int64(after), p, codeStart, p.generation)
}

// run runs one call of the process: Start or one Step.
func (p *Proc) run(body func()) {
	w := p.world()
	p.stepping = true
	w.running = p
	body()
	p.finish()
}

func (p *Proc) step(ev env.Event) {
	w := p.world()
	w.steps++
	p.stepping = true
	w.running = p
	p.process.Step(ev)
	p.finish()
}

// finish ends a Start or Step that ran to completion: it ends a process that asked for its end, and
// else schedules the next delivery.
func (p *Proc) finish() {
	w := p.world()
	w.running = nil
	p.stepping = false
	if p.exit != nil {
		reason := p.exit
		p.end(reason)
		if p.spec.Restart > 0 && p.killed == 0 && !errors.Is(reason, env.ErrStopped) {
			p.scheduleStart(p.spec.Restart)
		}
		return
	}
	now := w.Kernel.Now()
	p.busyUntil = now + int64(stepCostMin) + int64(p.stepCosts.Choose(uint64(stepCostSpan)))
	if p.pending() {
		p.scheduleDelivery()
	}
}

func (p *Proc) pending() bool { return p.dueTimers > 0 || p.inbox.count > 0 }

func (p *Proc) scheduleDelivery() {
	at := max(p.busyUntil, p.world().Kernel.Now())
	if p.deliveryAt != at {
		p.deliveryAt = at
		p.world().Kernel.At(at, p, codeDeliver, 0)
	}
}

// ready reports whether the process can take an event now.
func (p *Proc) ready() bool {
	return p.up && !p.stepping && p.paused == 0 && p.world().Kernel.Now() >= p.busyUntil
}

// deliverNext delivers one event if the process can take one.
func (p *Proc) deliverNext() {
	if !p.up || p.stepping || p.paused > 0 || !p.pending() {
		return
	}
	if !p.ready() {
		p.scheduleDelivery()
		return
	}
	heads := p.inbox.heads()
	pick := 0
	if total := len(heads) + p.dueTimers; total > 1 {
		pick = int(p.eventOrder.Choose(uint64(total)))
	}
	if pick < len(heads) {
		p.deliver(p.inbox.take(heads[pick]))
		return
	}
	p.fireTimer(pick - len(heads))
}

// fireTimer delivers the n-th due timer.
func (p *Proc) fireTimer(n int) {
	for i := range p.timers.slots {
		if !p.timers.slots[i].due {
			continue
		}
		if n--; n < 0 {
			id := p.timers.take(i)
			p.world().note(p, noteTimer, uint64(id), 0)
			p.step(env.TimerFired{ID: id})
			return
		}
	}
	panic(fmt.Sprintf("world: %s counts due timers that are not there", p.spec.Name))
}

// end ends the process at once, also in the middle of a Step. reason is what the process passed to
// Exit; errQuiet logs nothing.
func (p *Proc) end(reason error) {
	if !p.up {
		return
	}
	w := p.world()
	p.up = false
	p.generation++
	if reason != nil && !errors.Is(reason, errQuiet) {
		w.logf(p.machine, p.spec.Name, "process ended: %v", reason)
	}
	w.note(p, noteEnd, p.incarnation, 0)
	if p.park.Waiting() {
		w.running = p // functions that unwind may still draw
		w.Kernel.Unwind(&p.park)
		w.running = nil
	}
	for _, release := range p.atEnd {
		release()
	}
	p.stepping, p.taskSwitches, p.atEnd, p.process = false, nil, nil, nil
	p.machine.io.waiting = slices.DeleteFunc(p.machine.io.waiting, func(q *Proc) bool { return q == p })
	for _, slot := range p.inbox.drain() {
		w.freePacket(slot)
	}
	p.resetCalls()
	for _, other := range p.machine.procs {
		if other != p && other.up && p.machine.on {
			w.local(p, other, packetDown, nil)
		}
	}
}

// errQuiet is the reason of ends that need no log line.
var errQuiet = errors.New("quiet")

// Kill ends the process without notice and keeps it down until Revive.
func (p *Proc) Kill() {
	p.killed++
	p.end(errQuiet)
}

// Revive lets a killed process run again.
func (p *Proc) Revive() {
	if p.killed--; p.killed == 0 && p.machine.on {
		p.scheduleStart(0)
	}
}

// Pause stops the process from running.
func (p *Proc) Pause() { p.paused++ }

// Unpause ends one pause. After the last one, due events are delivered in drawn order.
func (p *Proc) Unpause() {
	if p.paused == 0 {
		return // the pause ended with the process, when its machine was reset
	}
	if p.paused--; p.paused > 0 || !p.up {
		return
	}
	if p.wakeHeld {
		p.wakeHeld = false
		p.world().Kernel.After(0, p, codeWake, p.generation)
		return
	}
	if p.pending() && !p.stepping {
		p.scheduleDelivery()
	}
}

// wake ends a wait inside a Step.
func (p *Proc) wake(generation uint64) {
	switch {
	case generation != p.generation || !p.park.Waiting():
	case p.paused > 0:
		p.wakeHeld = true
	case p.machine.io.stalled > 0:
		p.machine.io.waiting = append(p.machine.io.waiting, p)
	default:
		p.world().Kernel.Resume(&p.park)
	}
}

// waitFor waits d nanoseconds inside a Step.
func (p *Proc) waitFor(d int64) {
	k := p.world().Kernel
	if p.machine.io.stalled == 0 && k.Advance(d) {
		return
	}
	k.After(d, p, codeWake, p.generation)
	p.suspend()
}

func (p *Proc) suspend() {
	if n := len(p.taskSwitches); n > 0 {
		p.taskSwitches[n-1]()
		return
	}
	w := p.world()
	w.running = nil
	w.Kernel.Wait(&p.park)
	w.running = p
}

// EnterTask implements env.TaskHost.
func (p *Proc) EnterTask(hop func()) { p.taskSwitches = append(p.taskSwitches, hop) }

// LeaveTask implements env.TaskHost.
func (p *Proc) LeaveTask() { p.taskSwitches = p.taskSwitches[:len(p.taskSwitches)-1] }

// SuspendLoop implements env.TaskHost.
func (p *Proc) SuspendLoop() { p.suspend() }

// AtEnd implements env.EndNotifier.
func (p *Proc) AtEnd(release func()) { p.atEnd = append(p.atEnd, release) }

// localLatency draws how long a local message takes.
func (p *Proc) localLatency() int64 {
	n := p.localLatencies.Choose(uint64(localLatencySpan))
	return int64(localLatencyMin) + int64(n)
}

// sizeClass returns the class of buffers that hold n bytes.
func sizeClass(n int) int { return bits.Len(uint(max(n, 1)-1) >> minBufferBits) }
