package scenarios

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// New begins a scenario in Go. It is what a file would be:
//
//	s, err := scenarios.New("pair-cut").Story("n1 and n3 lose sight of each other.").
//		Machines(3).Duration(60*time.Second).
//		At(10*time.Second).Cut([]string{"n1"}, []string{"n3"}).For(20*time.Second).
//		Subject("register", nil).
//		Build()
func New(name string) *B { return &B{s: Scenario{Name: name}} }

// B builds a scenario. Its methods return it, so that calls can be chained.
type B struct{ s Scenario }

// Build fills in what was left out and checks the scenario. Its error is that of
// [Scenario.Validate].
func (b *B) Build() (*Scenario, error) {
	s := b.s
	s.SetDefaults()
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("building scenario %s: %w", s.Name, err)
	}
	return &s, nil
}

// MustBuild is [B.Build] for scenarios that are part of a program. It panics on an error.
func (b *B) MustBuild() *Scenario {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

// Story says what happens and what must hold.
func (b *B) Story(text string) *B { b.s.Story = text; return b }

// References lists what the story is modelled on.
func (b *B) References(refs ...string) *B { b.s.References = refs; return b }

// Machines asks for a number of machines named n1, n2 and so on.
func (b *B) Machines(count int) *B { b.s.Machines = Count(count); return b }

// Named asks for machines with these names.
func (b *B) Named(names ...string) *B { b.s.Machines = names; return b }

// Network is the condition of every link when nothing is wrong.
func (b *B) Network(n Network) *B { b.s.Network = n; return b }

// Disk is the condition of every disk when nothing is wrong.
func (b *B) Disk(d Disk) *B { b.s.Disk = d; return b }

// Watchdog is what the machines' hardware watchdogs do.
func (b *B) Watchdog(action WatchdogAction) *B { b.s.Watchdog = action; return b }

// Warmup is how long the machines run before workload and faults begin.
func (b *B) Warmup(d time.Duration) *B { b.s.Warmup = d; return b }

// Duration is how long workload and faults last.
func (b *B) Duration(d time.Duration) *B { b.s.Duration = d; return b }

// Quiescence is the time without faults in which the system must recover.
func (b *B) Quiescence(d time.Duration) *B { b.s.Quiescence = d; return b }

// Workload is what clients do.
func (b *B) Workload(w workload.Spec) *B { b.s.Workload = w; return b }

// Nemesis draws faults.
func (b *B) Nemesis(n Nemesis) *B { b.s.Nemesis = &n; return b }

// Expect is what must come out.
func (b *B) Expect(e Expect) *B { b.s.Expect = e; return b }

// Subject names the system under test. Its part is a struct with yaml tags, a map, or nil.
func (b *B) Subject(kind string, part any) *B {
	b.s.Subject = SubjectSpec{Kind: kind, Value: part}
	return b
}

// At begins a fault that starts at a time after the warm-up.
func (b *B) At(at time.Duration) *When { return &When{b: b, at: at} }

// Fault adds faults as they are.
func (b *B) Fault(faults ...fault.Fault) *B {
	b.s.Faults = append(b.s.Faults, faults...)
	return b
}

// When is a time at which a fault is about to be named.
type When struct {
	b  *B
	at time.Duration
}

func (w *When) add(f fault.Fault) *Injected {
	f.At = w.at
	w.b.s.Faults = append(w.b.s.Faults, f)
	return &Injected{B: w.b, index: len(w.b.s.Faults) - 1}
}

// Injected is the builder right after a fault was added, so that the fault can be made to end.
// Without For it lasts until faults end.
type Injected struct {
	*B
	index int
}

// For limits how long the fault acts.
func (i *Injected) For(d time.Duration) *B {
	i.B.s.Faults[i.index].For = d
	return i.B
}

// Partition is [fault.Partition].
func (w *When) Partition(groups ...[]string) *Injected {
	return w.add(fault.Fault{Kind: fault.Partition, Groups: groups})
}

// Isolate cuts some machines off from all others.
func (w *When) Isolate(machines ...string) *Injected { return w.Partition(machines) }

// Cut is [fault.Cut] in both directions.
func (w *When) Cut(from, to []string) *Injected {
	return w.add(fault.Fault{Kind: fault.Cut, From: from, To: to})
}

// CutOneWay is [fault.Cut] in one direction.
func (w *When) CutOneWay(from, to []string) *Injected {
	return w.add(fault.Fault{Kind: fault.Cut, From: from, To: to, OneWay: true})
}

// Degrade is [fault.Link] in both directions: loss, duplicates, reordering, latency and jitter of
// the condition are added to those of the network.
func (w *When) Degrade(from, to []string, by fault.Condition) *Injected {
	return w.add(fault.Fault{Kind: fault.Link, From: from, To: to, Loss: by.Loss, Duplicate: by.Duplicate,
		Reorder: by.Reorder, Latency: by.Latency, Jitter: by.Jitter})
}

// Flap is [fault.Flap].
func (w *When) Flap(from, to []string, up, down time.Duration) *Injected {
	return w.add(fault.Fault{Kind: fault.Flap, From: from, To: to, Up: up, Down: down})
}

// Kill is [fault.Kill]; process "" stands for all of each machine.
func (w *When) Kill(process string, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.Kill, Machines: machines, Process: process})
}

// Pause is [fault.Pause]; process "" stands for all of each machine.
func (w *When) Pause(process string, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.Pause, Machines: machines, Process: process})
}

// PowerCut is [fault.PowerCut].
func (w *When) PowerCut(machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.PowerCut, Machines: machines})
}

// PowerOn is [fault.PowerOn].
func (w *When) PowerOn(machines ...string) *B {
	return w.add(fault.Fault{Kind: fault.PowerOn, Machines: machines}).B
}

// DiskStall is [fault.DiskStall].
func (w *When) DiskStall(machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.DiskStall, Machines: machines})
}

// DiskSlow is [fault.DiskSlow].
func (w *When) DiskSlow(by time.Duration, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.DiskSlow, Machines: machines, Latency: by})
}

// DiskFull is [fault.DiskFull].
func (w *When) DiskFull(machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.DiskFull, Machines: machines})
}

// DiskError is [fault.DiskError]; the operation is read, write or sync.
func (w *When) DiskError(operation string, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.DiskError, Machines: machines, Operation: operation})
}

// ClockStep is [fault.ClockStep].
func (w *When) ClockStep(step time.Duration, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.ClockStep, Machines: machines, Step: step})
}

// ClockDrift is [fault.ClockDrift].
func (w *When) ClockDrift(ppm int64, machines ...string) *Injected {
	return w.add(fault.Fault{Kind: fault.ClockDrift, Machines: machines, DriftPPM: ppm})
}
