// Package nemesis begins and ends the faults of a run, each at its time, in any backend.
//
// A [Scheduler] is a state machine: it returns what must be done and when, and does it when it is
// called. The simulator calls it from events of its kernel, real nodes call it as real time passes.
// A backend implements [Injector], which knows how one fault acts on one machine.
//
// Package nemesis never waits, never reads a clock of its own and never decides which faults there
// are: scenarios.Expand draws them.
package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Effect is what a fault does to one machine: End undoes what Begin did. Effects of the same kind
// overlap, so a backend counts them: a machine that was paused twice runs after both have ended.
type Effect struct {
	Begin, End func(context.Context) error
	// Hits returns how many processes or disk calls the effect has affected until now; for a fault of the
	// power or the clock it is 1 or 0. Nil means that the backend does not count them.
	Hits func() uint64
}

// Injector makes faults act in a backend.
type Injector interface {
	// Effect returns what a fault does to the machine with an index. It must not change anything. The
	// scheduler calls it once for each fault and machine.
	// The error wraps errors.ErrUnsupported for a kind that the backend cannot inject.
	Effect(machine int, f *fault.Fault) (Effect, error)
	// ChangeLinks calls change with the network's conditions, while no packet is being decided.
	ChangeLinks(change func(*fault.Net))
	// Now returns the time since the run began.
	Now() time.Duration
}

// RoleInjector is implemented by an [Injector] that knows which machine has a role. Faults that are aimed at
// a role need it.
type RoleInjector interface {
	// Holder returns the machine that has a role now; found is false if none has.
	Holder(ctx context.Context, role string) (machine int, found bool, err error)
}

// Step is one of the things that are done with a fault.
type Step uint32

// The steps of a fault.
const (
	Begin Step = iota
	End
	// Toggle switches the phase of a flapping link.
	Toggle
	// Follow moves a fault to the machine that has its role by now.
	Follow
	// Trigger begins a fault whose trigger has come.
	Trigger
	// GiveUp ends the wait of a fault for its trigger.
	GiveUp
)

// Action is a step of one fault at one time.
type Action struct {
	At    time.Duration // since the run began
	Step  Step
	Fault int // index in the schedule
}

// Scheduler carries out the schedule of one run. It is not safe for use by several goroutines.
type Scheduler struct {
	injector    Injector
	machines    []string
	faults      []*fault.Fault // the links keep these pointers while a fault acts
	startOffset time.Duration
	runEnd      time.Duration
	isActive    []bool
	hasBegun    []bool
	applied     []scenarios.Applied
	effects     [][]Effect // by fault: those on the machines that it names
	aimless     []bool     // by fault: no machine had its role
	holders     []int      // by fault: the machine that had its role
	moves       int        // of all faults that follow a role
	waits       waitList
	triggers    []int // by fault: the machine whose record or probe triggered it
	problems    []string
}

// New returns the scheduler of faults on the named machines. Times of the faults count from offset,
// and faults that are still active end after the duration.
func New(injector Injector, machines []string, faults []fault.Fault,
	offset, duration time.Duration) *Scheduler {
	s := &Scheduler{injector: injector, machines: machines, startOffset: offset,
		runEnd: offset + duration, isActive: make([]bool, len(faults)), hasBegun: make([]bool, len(faults)),
		applied: make([]scenarios.Applied, len(faults)), effects: make([][]Effect, len(faults)),
		aimless: make([]bool, len(faults)), holders: make([]int, len(faults)),
		triggers: make([]int, len(faults))}
	for i := range faults {
		f := faults[i]
		s.faults, s.applied[i].Fault = append(s.faults, &f), f
	}
	return s
}

// End returns when every fault that still acts must be ended.
func (s *Scheduler) End() time.Duration { return s.runEnd }

// Start returns the beginnings of all faults, in the order of the schedule.
func (s *Scheduler) Start() []Action {
	actions := make([]Action, len(s.faults))
	for i := range s.faults {
		actions[i] = Action{At: s.startOffset + s.faults[i].At, Step: Begin, Fault: i}
	}
	return actions
}

// Execute carries out an action that is due and returns the ones that follow from it.
func (s *Scheduler) Execute(ctx context.Context, a Action) []Action {
	switch a.Step {
	case Begin:
		if s.faults[a.Fault].Trigger != "" {
			return s.waits.add(a.Fault, s.faults[a.Fault], s.injector.Now())
		}
		return s.beginFault(ctx, a.Fault)
	case Trigger:
		return s.beginTriggered(ctx, a.Fault)
	case GiveUp:
		s.waits.remove(a.Fault)
	case End:
		s.endFault(ctx, a.Fault)
	case Toggle:
		return s.toggleFault(a.Fault)
	case Follow:
		return s.followRole(ctx, a.Fault)
	}
	return nil
}

// Finish ends every fault that still acts, and reports the faults that never began.
func (s *Scheduler) Finish(ctx context.Context) {
	for i := range s.faults {
		s.endFault(ctx, i)
		if !s.hasBegun[i] && s.faults[i].Trigger == "" {
			s.applied[i].Problem = "the run was stopped before it was due"
		}
	}
}

// Applied returns the faults as they were injected. Those that wait for their triggers are not among them.
func (s *Scheduler) Applied() []scenarios.Applied {
	applied, _ := divide(s)
	return applied
}

// Untriggered returns the faults that have waited for their triggers in vain.
func (s *Scheduler) Untriggered() []fault.Fault {
	_, untriggered := divide(s)
	return untriggered
}

// Problems returns why faults were not injected or not ended. A run with a problem proves nothing.
func (s *Scheduler) Problems() []string { return s.problems }

// beginFault makes a fault act. Its end counts from the time at which the injection started. A fault that
// could be injected only in part is ended like any other.
func (s *Scheduler) beginFault(ctx context.Context, i int) []Action {
	f := s.faults[i]
	before := s.injector.Now()
	err := s.aim(ctx, i)
	err = errors.Join(err, s.makeEffects(i))
	err = errors.Join(err, s.act(ctx, i, (*fault.Net).Begin, func(e Effect) half { return e.Begin }))
	s.isActive[i], s.hasBegun[i] = true, true
	s.applied[i].Begun = [2]time.Duration{before, s.injector.Now()}
	s.recordProblem(i, "injecting", err)
	ends := s.runEnd
	if f.For > 0 {
		ends = min(ends, before+f.For)
	}
	next := []Action{{At: ends, Step: End, Fault: i}}
	if f.Follow > 0 {
		next = append(next, Action{At: before + f.Follow, Step: Follow, Fault: i})
	}
	if f.Kind == fault.Flap && !s.aimless[i] {
		next = append(next, Action{At: before + f.Down, Step: Toggle, Fault: i})
	}
	return next
}

func (s *Scheduler) toggleFault(i int) []Action {
	if !s.isActive[i] {
		return nil
	}
	var lasts time.Duration
	s.injector.ChangeLinks(func(n *fault.Net) { lasts = n.Toggle(s.faults[i]) })
	return []Action{{At: s.injector.Now() + lasts, Step: Toggle, Fault: i}}
}

func (s *Scheduler) endFault(ctx context.Context, i int) {
	if !s.isActive[i] {
		return
	}
	s.isActive[i] = false
	before := s.injector.Now()
	err := s.act(ctx, i, (*fault.Net).End, func(e Effect) half { return e.End })
	s.applied[i].Ended = [2]time.Duration{before, s.injector.Now()}
	s.recordProblem(i, "ending", err)
	s.applied[i].Hits = s.hits(i)
}

// aim finds the machine of a fault that is aimed at a role. A fault that finds none acts on nothing.
func (s *Scheduler) aim(ctx context.Context, i int) error {
	f := s.faults[i]
	if !f.IsAimed() {
		return nil
	}
	s.aimless[i] = true
	machine, found, err := s.triggers[i], true, error(nil)
	if f.Role != fault.RoleTriggering {
		machine, found, err = holderOf(ctx, s.injector, f.Role)
	}
	if err != nil || !found {
		return err
	}
	s.aimless[i], s.holders[i] = false, machine
	*f = f.AimedAt(s.machines[machine])
	s.applied[i].Fault = *f
	return nil
}

// holderOf returns the machine that has a role.
func holderOf(ctx context.Context, i Injector, role string) (machine int, found bool, err error) {
	injector, knows := i.(RoleInjector)
	if !knows {
		return 0, false, fmt.Errorf("finding the machine with the role %s: %w", role, errors.ErrUnsupported)
	}
	return injector.Holder(ctx, role)
}

// recordProblem notes why a fault was not injected or not ended. What could not begin cannot end either:
// that is reported once.
func (s *Scheduler) recordProblem(i int, doing string, err error) {
	if err == nil || s.applied[i].Problem == err.Error() {
		return
	}
	if s.applied[i].Problem == "" {
		s.applied[i].Problem = err.Error()
	}
	s.problems = append(s.problems, fmt.Sprintf("%s %s: %v", doing, s.faults[i].Kind, err))
}

// makeEffects makes the effects of a fault on the machines that it names. Those that can be made are kept
// whatever the error.
func (s *Scheduler) makeEffects(i int) error {
	f := s.faults[i]
	if f.IsNetwork() || s.aimless[i] {
		return nil
	}
	var failed []error
	for machine, name := range s.machines {
		if !fault.Names(f.Machines, name) {
			continue
		}
		e, err := s.injector.Effect(machine, f)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		s.effects[i] = append(s.effects[i], e)
	}
	return errors.Join(append(failed, s.checkMachines(f))...)
}

// half is the beginning or the end of an effect.
type half func(context.Context) error

// act makes one half of a fault's effect act: on the links, or on every machine that it names.
func (s *Scheduler) act(ctx context.Context, i int, links func(*fault.Net, *fault.Fault),
	of func(Effect) half) error {
	f := s.faults[i]
	switch {
	case s.aimless[i]:
		return nil
	case f.IsNetwork():
		s.injector.ChangeLinks(func(n *fault.Net) { links(n, f) })
		return nil
	}
	failed := make([]error, len(s.effects[i]))
	for k, e := range s.effects[i] {
		failed[k] = of(e)(ctx)
	}
	return errors.Join(failed...)
}

// hits returns how much a fault affected; nil if the backend does not count that.
func (s *Scheduler) hits(i int) *uint64 {
	f := s.faults[i]
	var total uint64
	if f.IsNetwork() {
		s.injector.ChangeLinks(func(n *fault.Net) { total = n.Hits(f) })
		return &total
	}
	for _, e := range s.effects[i] {
		if e.Hits == nil {
			return nil
		}
		total += e.Hits()
	}
	return &total
}

// checkMachines reports machines that a fault names and that do not exist.
func (s *Scheduler) checkMachines(f *fault.Fault) error {
	for _, name := range f.Machines {
		if name != fault.All && !slices.Contains(s.machines, name) {
			return fmt.Errorf("no machine is called %q; the machines are %s", name,
				strings.Join(s.machines, ", "))
		}
	}
	return nil
}
