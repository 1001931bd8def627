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
	worldIndex     uint32
	peers          []*Proc // the process of this name on every machine
	stepCosts      *choice.List
	eventOrder     *choice.List
	localLatencies *choice.List

	process      env.Process
	up           bool
	generation   uint64 // changes at every start and end
	incarnation  uint64
	activePauses int
	activeKills  int // active kill faults; while there are any, no automatic restart
	exitReason   error
	slowness     slowness
	// crashAfterCall is a fault that acts when the disk call under way has taken effect.
	crashAfterCall *callTrigger
	readFailed     bool // since its start

	stepping      bool
	stepGoroutine int64 // runs the step under way
	busyUntil     int64
	deliveryAt    int64 // time of a scheduled pump, -1 when there is none
	timers        timers
	dueTimers     int
	inbox         inbox

	park           kernel.Park
	wakeAfterPause bool // a wait ended while the process was paused
	taskSwitches   []func()
	endFuncs       []func()

	randByLabel      map[string]*draw.Entropy
	logger           *slog.Logger
	pendingOps       map[env.OpID]*call
	lastOp           env.OpID
	lastLocalArrival map[*Proc]int64 // when the last message to each neighbour arrives
	openFiles        int
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
	p := &Proc{machine: m, spec: spec, worldIndex: uint32(len(w.procs)), deliveryAt: -1}
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
		p.receivePacket(uint32(arg))
	case codeTimer:
		if p.up && p.timers.onExpiry(arg) {
			p.deliverNext()
		}
	case codeDeliver:
		if p.deliveryAt == p.world().Kernel.Now() {
			p.deliveryAt = -1
			p.deliverNext()
		}
	case codeWake:
		p.endWait(arg)
	case codeStart:
		if p.machine.freeze.postpone(func() { p.world().Kernel.After(0, p, codeStart, arg) }) {
			return
		}
		if arg == p.generation && !p.up && p.machine.isOn && p.activeKills == 0 {
			p.startIncarnation()
		}
	}
}

// startIncarnation begins a new incarnation of the process.
func (p *Proc) startIncarnation() {
	if p.up {
		return
	}
	w := p.world()
	p.generation++
	p.incarnation++
	p.up, p.exitReason, p.busyUntil, p.deliveryAt, p.wakeAfterPause = true, nil, 0, -1, false
	p.crashAfterCall, p.readFailed = nil, false
	p.timers.reset()
	p.inbox.clear()
	p.randByLabel, p.logger = map[string]*draw.Entropy{}, nil
	p.pendingOps, p.lastLocalArrival = map[env.OpID]*call{}, map[*Proc]int64{}
	p.process = p.spec.New()
	w.noteInDigest(p, noteStart, p.incarnation, 0)
	for _, other := range p.machine.procs {
		if other != p && other.up {
			w.sendLocal(other, p, packetUp, nil)
			w.sendLocal(p, other, packetUp, nil)
		}
	}
	p.runBody(func() {
		if err := p.process.Start(p); err != nil {
			w.logMachine(p.machine, p.spec.Name, "process cannot start: %v", err)
			p.exitReason = err
		}
	})
}

// scheduleStart schedules a start, also one without delay: a start may wait for the disk, so it must
// not run inside another process's handler.
func (p *Proc) scheduleStart(after time.Duration) {
	p.world().Kernel.After(int64(after), p, codeStart, p.generation)
}

// runBody runs one call of the process: Start or one Step.
func (p *Proc) runBody(body func()) {
	p.beginStep()
	body()
	p.finishStep()
}

func (p *Proc) runStep(ev env.Event) {
	p.world().steps++
	p.beginStep()
	p.process.Step(ev)
	p.finishStep()
}

// finishStep ends a Start or Step that ran to completion: it ends a process that asked for its end, and
// else schedules the next delivery.
func (p *Proc) finishStep() {
	w := p.world()
	w.runningProc = nil
	p.stepping = false
	if p.exitReason != nil {
		reason := p.exitReason
		p.endIncarnation(reason)
		if p.spec.Restart > 0 && p.activeKills == 0 && !errors.Is(reason, env.ErrStopped) {
			p.scheduleStart(p.spec.Restart)
		}
		return
	}
	now := w.Kernel.Now()
	cost := int64(stepCostMin) + int64(p.stepCosts.Choose(uint64(stepCostSpan)))
	if p.slowness != (slowness{}) {
		cost += cost*p.slowness.times + p.slowness.by
		p.machine.slowSteps++
	}
	p.busyUntil = now + cost
	if p.hasPending() {
		p.scheduleDelivery()
	}
}

func (p *Proc) hasPending() bool { return p.dueTimers > 0 || p.inbox.packetCount > 0 }

func (p *Proc) scheduleDelivery() {
	at := max(p.busyUntil, p.world().Kernel.Now())
	if p.deliveryAt != at {
		p.deliveryAt = at
		p.world().Kernel.At(at, p, codeDeliver, 0)
	}
}

// canTakeEvent reports whether the process can take an event now.
func (p *Proc) canTakeEvent() bool {
	return p.up && !p.stepping && p.activePauses == 0 && p.world().Kernel.Now() >= p.busyUntil
}

// deliverNext delivers one event if the process can take one.
func (p *Proc) deliverNext() {
	if !p.up || p.stepping || p.activePauses > 0 || !p.hasPending() {
		return
	}
	if !p.canTakeEvent() {
		p.scheduleDelivery()
		return
	}
	heads := p.inbox.nonEmptyQueues()
	pick := 0
	if total := len(heads) + p.dueTimers; total > 1 {
		pick = int(p.eventOrder.Choose(uint64(total)))
	}
	if pick < len(heads) {
		p.deliverPacket(p.inbox.takePacket(heads[pick]))
		return
	}
	p.fireTimer(pick - len(heads))
}

// fireTimer delivers the n-th due timer.
func (p *Proc) fireTimer(n int) {
	for i := range p.timers.timerSlots {
		if !p.timers.timerSlots[i].isDue {
			continue
		}
		if n--; n < 0 {
			id := p.timers.takeDue(i)
			p.world().noteInDigest(p, noteTimer, uint64(id), 0)
			p.runStep(env.TimerFired{ID: id})
			return
		}
	}
	panic(fmt.Sprintf("world: %s counts due timers that are not there", p.spec.Name))
}

// endIncarnation ends the process at once, also in the middle of a Step. reason is what the process passed
// to Exit; errQuiet logs nothing.
func (p *Proc) endIncarnation(reason error) {
	if !p.up {
		return
	}
	w := p.world()
	p.up = false
	p.generation++
	if reason != nil && !errors.Is(reason, errEndedSilently) {
		w.logMachine(p.machine, p.spec.Name, "process ended: %v", reason)
	}
	w.noteInDigest(p, noteEnd, p.incarnation, 0)
	if p.park.Waiting() {
		running := w.runningProc // another process may have caused this in its step
		w.runningProc = p        // functions that unwind may still draw
		w.Kernel.Unwind(&p.park)
		w.runningProc = running
	}
	for _, release := range p.endFuncs {
		release()
	}
	p.stepping, p.taskSwitches, p.endFuncs, p.process = false, nil, nil, nil
	p.machine.diskState.stalledProcs = slices.DeleteFunc(p.machine.diskState.stalledProcs,
		func(q *Proc) bool { return q == p })
	for _, slot := range p.inbox.takeAll() {
		w.freePacket(slot)
	}
	p.resetCalls()
	for _, other := range p.machine.procs {
		if other != p && other.up && p.machine.isOn {
			w.sendLocal(p, other, packetDown, nil)
		}
	}
}

// errEndedSilently is the reason of ends that need no log line.
var errEndedSilently = errors.New("quiet")

// Kill ends the process without notice and keeps it down until Revive.
func (p *Proc) Kill() {
	p.activeKills++
	p.endIncarnation(errEndedSilently)
}

// Revive lets a killed process run again.
func (p *Proc) Revive() {
	if p.activeKills--; p.activeKills == 0 && p.machine.isOn {
		p.scheduleStart(0)
	}
}

// Pause stops the process from running.
func (p *Proc) Pause() { p.activePauses++ }

// Unpause ends one pause. After the last one, due events are delivered in drawn order.
func (p *Proc) Unpause() {
	if p.activePauses == 0 {
		return // the pause ended with the process, when its machine was reset
	}
	if p.activePauses--; p.activePauses > 0 || !p.up {
		return
	}
	if p.wakeAfterPause {
		p.wakeAfterPause = false
		p.world().Kernel.After(0, p, codeWake, p.generation)
		return
	}
	if p.hasPending() && !p.stepping {
		p.scheduleDelivery()
	}
}

// endWait ends a wait inside a Step.
func (p *Proc) endWait(generation uint64) {
	switch {
	case generation != p.generation || !p.park.Waiting():
	case p.activePauses > 0:
		p.wakeAfterPause = true
	case p.machine.diskState.stallFaults > 0:
		p.machine.diskState.stalledProcs = append(p.machine.diskState.stalledProcs, p)
	default:
		p.world().Kernel.Resume(&p.park)
	}
}

// waitInStep waits d nanoseconds inside a Step.
func (p *Proc) waitInStep(d int64) {
	k := p.world().Kernel
	if p.machine.diskState.stallFaults == 0 && k.Advance(d) {
		return
	}
	k.After(d, p, codeWake, p.generation)
	p.suspendStep()
}

func (p *Proc) suspendStep() {
	if n := len(p.taskSwitches); n > 0 {
		p.taskSwitches[n-1]()
		return
	}
	w := p.world()
	w.runningProc = nil
	w.Kernel.Wait(&p.park)
	w.runningProc = p
}

// EnterTask implements env.TaskHost.
func (p *Proc) EnterTask(hop func()) { p.taskSwitches = append(p.taskSwitches, hop) }

// LeaveTask implements env.TaskHost.
func (p *Proc) LeaveTask() { p.taskSwitches = p.taskSwitches[:len(p.taskSwitches)-1] }

// SuspendLoop implements env.TaskHost.
func (p *Proc) SuspendLoop() { p.suspendStep() }

// AtEnd implements env.EndNotifier.
func (p *Proc) AtEnd(release func()) { p.endFuncs = append(p.endFuncs, release) }

// drawLocalLatency draws how long a local message takes.
func (p *Proc) drawLocalLatency() int64 {
	n := p.localLatencies.Choose(uint64(localLatencySpan))
	return int64(localLatencyMin) + int64(n)
}

// bufferClass returns the class of buffers that hold n bytes.
func bufferClass(n int) int { return bits.Len(uint(max(n, 1)-1) >> minBufferBits) }
