// Package world is the simulated world that processes meet through env.Env: machines with
// clocks, disks and power switches, the processes on them, and the network between them.
//
// Package world owns the life of machines and processes (also the restart of a process that ended by
// itself: proc.go), and what a fault does to them (faults.go). When a run begins and ends, what its clients
// request, and when a fault begins and ends is decided one level above, in package sim.
//
// Package world applies faults on request; it never decides that one happens.
package world

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Config describes the world to make.
type Config struct {
	Seed  uint64
	Names []string
	Base  fault.Condition
	// ChangeBase changes the base condition of single pairs; nil leaves them as they are.
	ChangeBase func(from, to int, c *fault.Condition)
	Disk       scenarios.Disk
	Builder    scenarios.Builder
	// WatchdogPowersOff means that a machine whose watchdog has run out does not boot by itself.
	WatchdogPowersOff bool
	// OnRecord and OnLog observe; nil discards. OnRecord's error stops the run.
	OnRecord func(scenarios.Stamped) error
	// OnProbe is called with each rare path that a process of a machine reaches; nil discards.
	OnProbe  func(machine env.MachineID, id string)
	OnLog    func(scenarios.LogLine)
	LogLevel slog.Level
}

// World is a set of machines on one virtual clock.
type World struct {
	Kernel  *kernel.Kernel
	Choices *choice.Source
	Net     *fault.Net

	cfg             Config
	machines        []*Machine
	procs           []*Proc
	links           []directedLink // from*len(machines)+to
	packets         []packet
	freePackets     []uint32
	buffers         [bufferClasses][][]byte
	probes          map[string]int
	externalDevices scenarios.ExternalDevices // nil when there is none
	runningProc     *Proc
	coroutines      coroutines
	steps           uint64
	foundFault      error
	timerObserver   TimerObserver // nil when there is none
	lastCalled      int           // the machine that a client called last
}

// TimerObserver is called with the length of a timer that a process of a machine sets.
type TimerObserver func(machine env.MachineID, process string, after time.Duration)

// ObserveTimers calls a function for every timer that is set in the world from now on.
func ObserveTimers(w *World, f TimerObserver) { w.timerObserver = f }

// A Step takes at least stepCostMin and less than stepCostSpan more.
const (
	stepCostMin  = 1 * time.Microsecond
	stepCostSpan = 1 * time.Microsecond
)

// New makes the machines, powered off.
func New(cfg Config, choices *choice.Source) *World {
	w := &World{Kernel: kernel.New(choices), Choices: choices, cfg: cfg,
		Net: fault.NewNet(cfg.Names, cfg.Base), probes: map[string]int{}}
	w.links = make([]directedLink, len(cfg.Names)*len(cfg.Names))
	w.Net.OnFreed(func(from, to int) { w.links[from*len(w.machines)+to].releaseHeld(w) })
	if cfg.ChangeBase != nil {
		w.Net.SetBase(cfg.ChangeBase)
	}
	for i, name := range cfg.Names {
		w.machines = append(w.machines, newMachine(w, env.MachineID(i), name))
	}
	if b, ok := cfg.Builder.(scenarios.ExternalDeviceBuilder); ok {
		w.externalDevices = b.ExternalDevices(externalDeviceEnv{w})
	}
	return w
}

// MachineAt returns a machine by its index in the topology.
func (w *World) MachineAt(i int) *Machine { return w.machines[i] }

// LastCalled returns the index of the machine that a client called last.
func (w *World) LastCalled() int { return w.lastCalled }

// Probes counts how often each rare path was reached.
func (w *World) Probes() map[string]int { return w.probes }

// Steps returns how many events the processes have handled.
func (w *World) Steps() uint64 { return w.steps }

// Running names the process whose step is under way as machine/process.
//
//go:norace
func (w *World) Running() string {
	if p := w.runningProc; p != nil {
		return p.machine.name + "/" + p.spec.Name
	}
	return "a client, a fault or an external device"
}

// Fault returns the first violation of the rules for processes, such as a panic; nil if there was none.
func (w *World) Fault() error { return w.foundFault }

// Now returns the time since the run began.
func (w *World) Now() time.Duration { return time.Duration(w.Kernel.Now()) }

// stopWithFinding stops the run because of something that must never happen.
func (w *World) stopWithFinding(err error) {
	if w.foundFault == nil {
		w.foundFault = err
	}
	w.Kernel.Stop(err)
}

// Close ends every process and releases the world's coroutines.
func (w *World) Close() {
	for _, m := range w.machines {
		for _, p := range m.procs {
			p.endIncarnation(errEndedSilently)
		}
		disk.Free(m.disk)
	}
	w.Kernel.Close()
}

// Entropy returns the source of random bytes for code that uses crypto/rand.Reader: it reads from the
// stream of the process that runs now.
func (w *World) Entropy() io.Reader { return entropyReader{w} }

type entropyReader struct{ world *World }

func (r entropyReader) Read(p []byte) (int, error) {
	if r.world.runningProc == nil {
		panic("world: randomness is drawn while no simulated process runs")
	}
	r.world.runningProc.Rand("crypto").Fill(p)
	return len(p), nil
}

// Event kinds in the digest.
const (
	noteReceived = 1 + iota
	noteTimer
	noteLocal
	noteLocalUp
	noteLocalDown
	noteInvoked
	noteStart
	noteEnd
	noteDisk
	noteComplete
	noteCall
)

var noteKindWords = [...]string{noteReceived: "datagram", noteTimer: "timer", noteLocal: "local message",
	noteLocalUp: "neighbour up", noteLocalDown: "neighbour down", noteInvoked: "operation",
	noteStart: "start", noteEnd: "end", noteDisk: "disk call", noteComplete: "answer",
	noteCall: "call of a program"}

// Describe returns a note of the digest as text.
func (w *World) Describe(n kernel.Note) string {
	p := w.procs[n.Who]
	return fmt.Sprintf("%v %s/%s %s %#x content %016x", time.Duration(n.At), p.machine.name, p.spec.Name,
		noteKindWords[n.Kind], n.A, n.B)
}

func (w *World) noteInDigest(p *Proc, kind uint32, a, b uint64) {
	w.Kernel.Digest.Note(w.Kernel.Now(), p.worldIndex, kind, a, b)
}

func (w *World) logMachine(m *Machine, process, format string, args ...any) {
	if w.cfg.OnLog != nil {
		w.cfg.OnLog(scenarios.LogLine{At: w.Now(), Machine: m.name, Process: process,
			Level: "INFO", Text: fmt.Sprintf(format, args...)})
	}
}
