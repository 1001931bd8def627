package scenarios

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// New starts a scenario in Go. It equals the scenario that a file describes:
//
//	s, err := scenarios.New("pair-cut").Story("n1 and n3 lose sight of each other.").
//		Machines(3).Duration(60*time.Second).
//		At(10*time.Second).Cut([]string{"n1"}, []string{"n3"}).For(20*time.Second).
//		Subject("register", nil).
//		Build()
func New(name string) *ScenarioBuilder { return &ScenarioBuilder{scenario: Scenario{Name: name}} }

// ScenarioBuilder builds a scenario; see [New]. Its methods return it, so that calls can be chained.
type ScenarioBuilder struct{ scenario Scenario }

// Build fills in what was left out and checks the scenario. Its error is that of
// [Scenario.Validate].
func (b *ScenarioBuilder) Build() (*Scenario, error) {
	s := b.scenario
	s.SetDefaults()
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("building scenario %s: %w", s.Name, err)
	}
	return &s, nil
}

// MustBuild is [ScenarioBuilder.Build] for scenarios that are part of a program. It panics on an error.
func (b *ScenarioBuilder) MustBuild() *Scenario {
	s, err := b.Build()
	if err != nil {
		panic(err)
	}
	return s
}

// Story sets the description: what happens and what must hold.
func (b *ScenarioBuilder) Story(text string) *ScenarioBuilder { b.scenario.Story = text; return b }

// References lists what the scenario is modelled on: incidents, papers, bug numbers.
func (b *ScenarioBuilder) References(refs ...string) *ScenarioBuilder {
	b.scenario.References = refs
	return b
}

// Machines sets the number of machines, which are named n1, n2 and so on.
func (b *ScenarioBuilder) Machines(count int) *ScenarioBuilder {
	b.scenario.Machines = Count(count)
	return b
}

// Named sets the machines by their names.
func (b *ScenarioBuilder) Named(names ...string) *ScenarioBuilder {
	b.scenario.Machines = names
	return b
}

// Network sets the condition of every link when nothing is wrong.
func (b *ScenarioBuilder) Network(n Network) *ScenarioBuilder { b.scenario.Network = n; return b }

// Disk sets the condition of every disk when nothing is wrong.
func (b *ScenarioBuilder) Disk(d Disk) *ScenarioBuilder { b.scenario.Disk = d; return b }

// Watchdog sets what the machines' hardware watchdogs do.
func (b *ScenarioBuilder) Watchdog(action WatchdogAction) *ScenarioBuilder {
	b.scenario.Watchdog = action
	return b
}

// Warmup sets how long the machines run before workload and faults begin.
func (b *ScenarioBuilder) Warmup(d time.Duration) *ScenarioBuilder { b.scenario.Warmup = d; return b }

// Duration sets how long workload and faults last.
func (b *ScenarioBuilder) Duration(d time.Duration) *ScenarioBuilder {
	b.scenario.Duration = d
	return b
}

// Quiescence sets the time without faults in which the system must recover.
func (b *ScenarioBuilder) Quiescence(d time.Duration) *ScenarioBuilder {
	b.scenario.Quiescence = d
	return b
}

// Workload sets what clients do.
func (b *ScenarioBuilder) Workload(w workload.Spec) *ScenarioBuilder {
	b.scenario.Workload = w
	return b
}

// Nemesis sets how faults are drawn.
func (b *ScenarioBuilder) Nemesis(n Nemesis) *ScenarioBuilder { b.scenario.Nemesis = &n; return b }

// Expect sets how the run must end.
func (b *ScenarioBuilder) Expect(e Expect) *ScenarioBuilder { b.scenario.Expect = e; return b }

// Subject names the system under test. Its part is a struct with yaml tags, a map, or nil.
func (b *ScenarioBuilder) Subject(kind string, part any) *ScenarioBuilder {
	b.scenario.Subject = SubjectSpec{Kind: kind, Value: part}
	return b
}

// At starts a fault at a time after the end of the warm-up; a method of the result adds it.
func (b *ScenarioBuilder) At(at time.Duration) *FaultTime { return &FaultTime{builder: b, at: at} }

// Fault adds faults that were made elsewhere.
func (b *ScenarioBuilder) Fault(faults ...fault.Fault) *ScenarioBuilder {
	b.scenario.Faults = append(b.scenario.Faults, faults...)
	return b
}

// FaultTime is the time at which a fault starts. Each of its methods adds one fault. Machines and
// processes are hit by methods with different names, so that one is never taken for the other.
type FaultTime struct {
	builder *ScenarioBuilder
	at      time.Duration
}

// Fault adds a fault of any kind; its At is set.
func (t *FaultTime) Fault(f fault.Fault) *AddedFault {
	f.At = t.at
	t.builder.scenario.Faults = append(t.builder.scenario.Faults, f)
	return &AddedFault{ScenarioBuilder: t.builder, index: len(t.builder.scenario.Faults) - 1}
}

// AddedFault is the builder right after a fault was added. Without [AddedFault.For] the fault lasts
// until the duration of the scenario is over.
type AddedFault struct {
	*ScenarioBuilder
	index int
}

// AtRole aims the fault at the machine that has a role of the subject when it begins. It must not name the
// machines, the From of its links or the groups of its partition.
func (i *AddedFault) AtRole(role string) *AddedFault {
	i.ScenarioBuilder.scenario.Faults[i.index].Role = role
	return i
}

// OnTrigger lets the fault wait until processes have emitted a kind of record, or reached a probe, for the
// nth time. See [fault.Fault.Trigger].
func (i *AddedFault) OnTrigger(trigger string, nth int) *AddedFault {
	f := &i.ScenarioBuilder.scenario.Faults[i.index]
	f.Trigger, f.Nth = trigger, nth
	return i
}

// AtDiskCall makes a kill, power cut or disk error act at a disk call, counted from 1; a kill or power cut
// with after when that call has taken effect.
func (i *AddedFault) AtDiskCall(call int, after bool) *AddedFault {
	f := &i.ScenarioBuilder.scenario.Faults[i.index]
	f.AtDiskCall, f.AfterCall = call, after
	return i
}

// For sets how long the fault acts.
func (i *AddedFault) For(d time.Duration) *ScenarioBuilder {
	i.ScenarioBuilder.scenario.Faults[i.index].For = d
	return i.ScenarioBuilder
}

// Partition is [fault.Partition].
func (t *FaultTime) Partition(groups ...[]string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Partition, Groups: groups})
}

// Isolate cuts some machines off from all others.
func (t *FaultTime) Isolate(machines ...string) *AddedFault { return t.Partition(machines) }

// Cut is [fault.Cut] in both directions.
func (t *FaultTime) Cut(from, to []string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Cut, From: from, To: to})
}

// CutOneWay is [fault.Cut] in one direction.
func (t *FaultTime) CutOneWay(from, to []string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Cut, From: from, To: to, OneWay: true})
}

// Degrade is [fault.Link] in both directions: loss, duplicates, reordering, latency and jitter of
// the condition are added to those of the network.
func (t *FaultTime) Degrade(from, to []string, by fault.Condition) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Link, From: from, To: to, Loss: by.Loss,
		Duplicate: by.Duplicate,
		Reorder:   by.Reorder, Latency: by.Latency, Jitter: by.Jitter})
}

// Flap is [fault.Flap].
func (t *FaultTime) Flap(from, to []string, up, down time.Duration) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Flap, From: from, To: to, Up: up, Down: down})
}

// KillMachine ends every process of each machine without notice; see [fault.Kill].
func (t *FaultTime) KillMachine(machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Kill, Machines: machines})
}

// KillProcess ends one process; the machines follow with [ProcessFault.On]. See [fault.Kill].
func (t *FaultTime) KillProcess(process string) ProcessFault {
	return ProcessFault{faultTime: t, fault: fault.Fault{Kind: fault.Kill, Process: process}}
}

// PauseMachine stops every process of each machine for a while; see [fault.Pause].
func (t *FaultTime) PauseMachine(machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.Pause, Machines: machines})
}

// PauseProcess stops one process for a while; the machines follow with [ProcessFault.On]. See
// [fault.Pause].
func (t *FaultTime) PauseProcess(process string) ProcessFault {
	return ProcessFault{faultTime: t, fault: fault.Fault{Kind: fault.Pause, Process: process}}
}

// ProcessFault is a fault of one process that does not name its machines yet.
type ProcessFault struct {
	faultTime *FaultTime
	fault     fault.Fault
}

// On names the machines on which the process is hit, and adds the fault.
func (p ProcessFault) On(machines ...string) *AddedFault {
	p.fault.Machines = machines
	return p.faultTime.Fault(p.fault)
}

// PowerCut is [fault.PowerCut].
func (t *FaultTime) PowerCut(machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.PowerCut, Machines: machines})
}

// PowerOn is [fault.PowerOn].
func (t *FaultTime) PowerOn(machines ...string) *ScenarioBuilder {
	return t.Fault(fault.Fault{Kind: fault.PowerOn, Machines: machines}).ScenarioBuilder
}

// DiskStall is [fault.DiskStall].
func (t *FaultTime) DiskStall(machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.DiskStall, Machines: machines})
}

// DiskSlow is [fault.DiskSlow].
func (t *FaultTime) DiskSlow(by time.Duration, machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.DiskSlow, Machines: machines, Latency: by})
}

// DiskFull is [fault.DiskFull].
func (t *FaultTime) DiskFull(machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.DiskFull, Machines: machines})
}

// DiskLoss is a fault that damages the content of disks, for example [fault.DiskWipe], [fault.DiskRollback],
// [fault.DiskCut] of the longest file, or [fault.DiskCorrupt] of any.
func (t *FaultTime) DiskLoss(kind fault.Kind, machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: kind, Machines: machines})
}

// DiskError is [fault.DiskError]; the operation is read, write or sync.
func (t *FaultTime) DiskError(operation string, machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.DiskError, Machines: machines, Operation: operation})
}

// ClockStep is [fault.ClockStep].
func (t *FaultTime) ClockStep(step time.Duration, machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.ClockStep, Machines: machines, Step: step})
}

// ClockDrift is [fault.ClockDrift].
func (t *FaultTime) ClockDrift(ppm int64, machines ...string) *AddedFault {
	return t.Fault(fault.Fault{Kind: fault.ClockDrift, Machines: machines, DriftPPM: ppm})
}
