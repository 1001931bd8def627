package scenarios

import (
	"cmp"
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// FaultDraws are the values that decide on a drawn fault, except for its kind and time. Zero is the tamest
// of each.
type FaultDraws struct {
	// Machine is the index of the machine that is hit in any case.
	Machine uint64
	// OtherMachines has one bit for each machine: those that are hit as well.
	OtherMachines uint64
	// Severity is below [SeveritySteps].
	Severity uint64
	// Variant chooses one of at most four forms of the fault, such as one way or both ways.
	Variant uint64
	// Process is 0 for all processes of the machine, or the position of a process in the list from 1.
	Process uint64
}

// SeveritySteps is the number of degrees of severity that a fault is drawn with.
const SeveritySteps = drawResolution

// Schedule collects faults for a scenario. It accepts a fault only if the fault acts on something, conflicts
// with no other, and leaves the damage within what the subject must survive.
type Schedule struct{ expander expander }

// NewSchedule returns a schedule that holds the scenario's own faults. At most atOnce of the added ones act
// at the same time. A nil judge stands for [MajoritySurvives]; beyondSurvival lifts that limit. processes are
// those that a fault may hit alone.
func NewSchedule(s *Scenario, judge Judge, atOnce int, beyondSurvival bool, processes []string) *Schedule {
	survives := MajoritySurvives
	switch {
	case beyondSurvival:
		survives = nil
	case judge != nil:
		survives = judge.Survives
	}
	with := *s
	with.Nemesis = &Nemesis{AtOnce: atOnce, Processes: processes}
	return &Schedule{expander{scenario: &with, survives: survives, schedule: slices.Clone(s.Faults)}}
}

// Draw makes a fault of a kind without its time.
func (c *Schedule) Draw(kind fault.Kind, d FaultDraws) fault.Fault {
	return c.expander.makeFault(kind, slotDraws{firstMachine: d.Machine, otherMachineBits: d.OtherMachines,
		severityStep: min(d.Severity, SeveritySteps-1), variant: d.Variant % variantCount,
		processIndex: min(d.Process, uint64(len(c.expander.scenario.Nemesis.Processes)))})
}

// Add adds a fault and reports whether it could.
func (c *Schedule) Add(f fault.Fault) bool {
	e := &c.expander
	if len(e.schedule) >= MaxFaults || f.At >= e.scenario.Duration || f.For > e.scenario.Duration-f.At ||
		!e.canAdd(&f) {
		return false
	}
	e.schedule = append(e.schedule, f)
	e.slotFaults = append(e.slotFaults, f)
	return true
}

// Faults returns all faults in the order of their beginnings.
func (c *Schedule) Faults() []fault.Fault {
	faults := slices.Clone(c.expander.schedule)
	slices.SortStableFunc(faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
	return faults
}
