// Package envtest is a small deterministic backend for unit tests and golden traces of processes written
// against package env: fixed latency, no randomness except what the test provides, and disks in memory.
// It never injects faults by itself; use the simulator for that.
package envtest

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// World is a set of machines on one virtual clock.
type World struct {
	// Latency is the latency of every datagram; 500 µs unless set.
	Latency time.Duration
	// Deliver, if set, is called for each datagram; false drops it.
	Deliver func(from, to env.MachineID, process string, payload []byte) bool
	// Delay, if set, returns what is added to Latency for a datagram.
	Delay func(from, to env.MachineID, process string, payload []byte) time.Duration
	// LocalError, if set, is called before every local message; Local returns its error.
	LocalError func(machine env.MachineID, from, to string) error
	// Logger, if set, returns the logger of a process; otherwise log lines are discarded.
	Logger func(p *Proc) *slog.Logger
	// OnRecord and OnComplete observe the records and answers of processes.
	OnRecord   func(p *Proc, r env.Record)
	OnComplete func(p *Proc, op env.OpID, output []byte)
	// OnProbe observes which rare paths processes reach.
	OnProbe func(p *Proc, id string)

	now           time.Duration
	seq           uint64
	pendingEvents eventHeap
	procs         []*Proc
	disks         map[env.MachineID]*Disk
}

// Proc is one process of the world. It implements env.Env.
type Proc struct {
	world  *World
	self   env.Self
	proc   env.Process
	timers map[env.TimerID]uint64 // armed: the heap entry that counts
	rands  map[string]*testRand
	up     bool
	paused bool
	held   []pendingEvent
	ended  error
}

// New returns a world without processes, at time 0.
func New() *World {
	return &World{Latency: 500 * time.Microsecond, disks: map[env.MachineID]*Disk{}}
}

// Now returns the time since the start of the world.
func (w *World) Now() time.Duration { return w.now }

// Start starts a process on a machine. A second start under the same name is a restart. It fails with the
// error of the process's own Start.
func (w *World) Start(machine env.MachineID, name string, process env.Process) (*Proc, error) {
	p := w.Find(machine, name)
	if p == nil {
		p = &Proc{world: w, self: env.Self{
			Machine: machine, Name: fmt.Sprintf("n%d", machine+1), Process: name, Boot: 1}}
		w.procs = append(w.procs, p)
	}
	p.self.Incarnation++
	p.proc, p.timers, p.rands = process, map[env.TimerID]uint64{}, map[string]*testRand{}
	p.up, p.paused, p.held, p.ended = true, false, nil, nil
	if err := process.Start(p); err != nil {
		p.up = false
		return p, err
	}
	for _, other := range w.procs {
		if other != p && other.up && other.self.Machine == machine {
			w.push(w.now, p, env.LocalUp{Process: other.self.Process}, 0)
			w.push(w.now, other, env.LocalUp{Process: name}, 0)
		}
	}
	return p, nil
}

// Find returns the process with a name on a machine, or nil.
func (w *World) Find(machine env.MachineID, name string) *Proc {
	for _, p := range w.procs {
		if p.self.Machine == machine && p.self.Process == name {
			return p
		}
	}
	return nil
}

// Kill ends a process at once; its disk keeps its content.
func (w *World) Kill(p *Proc) {
	p.up = false
	for _, other := range w.procs {
		if other != p && other.up && other.self.Machine == p.self.Machine {
			w.push(w.now, other, env.LocalDown{Process: p.self.Process}, 0)
		}
	}
}

// Pause stops the delivery of events to a process; they are held until Resume.
func (w *World) Pause(p *Proc) { p.paused = true }

// Resume delivers the held events, in order. A held timer that an earlier event sets again or stops is
// not delivered.
func (w *World) Resume(p *Proc) {
	p.paused = false
	for _, held := range p.held {
		w.push(w.now, p, held.ev, held.timer)
	}
	p.held = nil
}

// Invoke passes an operation to a process.
func (w *World) Invoke(p *Proc, op env.OpID, input []byte) {
	w.push(w.now, p, env.Invoked{Op: op, Input: input}, 0)
}

// RunUntil handles all events up to and including a time.
func (w *World) RunUntil(t time.Duration) {
	for len(w.pendingEvents) > 0 && w.pendingEvents[0].at <= t {
		w.step()
	}
	w.now = t
}

// RunFor handles all events of the next d.
func (w *World) RunFor(d time.Duration) { w.RunUntil(w.now + d) }

func (w *World) step() {
	next := heap.Pop(&w.pendingEvents).(pendingEvent)
	w.now = next.at
	p := next.to
	if !p.up || p.self.Incarnation != next.incarnation {
		return
	}
	if fired, ok := next.ev.(env.TimerFired); ok && next.timer != 0 {
		if p.timers[fired.ID] != next.timer {
			return
		}
		if !p.paused {
			delete(p.timers, fired.ID)
		}
	}
	if p.paused {
		p.held = append(p.held, next)
		return
	}
	p.proc.Step(next.ev)
	if p.ended != nil {
		w.Kill(p)
	}
}

func (w *World) push(at time.Duration, to *Proc, ev env.Event, timer uint64) {
	w.seq++
	heap.Push(&w.pendingEvents, pendingEvent{at: at, seq: w.seq, to: to, incarnation: to.self.Incarnation,
		ev: ev, timer: timer})
}

type pendingEvent struct {
	at          time.Duration
	seq         uint64
	to          *Proc
	incarnation uint64
	ev          env.Event
	timer       uint64
}

type eventHeap []pendingEvent

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h *eventHeap) Push(x any) { *h = append(*h, x.(pendingEvent)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// testRand is a splitmix64 stream keyed by machine, process, incarnation and label.
type testRand struct{ state uint64 }

func newRand(self env.Self, label string) *testRand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d/%s", self.Machine, self.Process, self.Incarnation, label)
	return &testRand{state: h.Sum64()}
}

func (r *testRand) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *testRand) Fill(p []byte) {
	var b [8]byte
	for len(p) > 0 {
		binary.LittleEndian.PutUint64(b[:], r.Uint64())
		p = p[copy(p, b[:]):]
	}
}
