package sim

// This file connects the schedule of a run's faults with its world: it begins and ends each fault at its
// time. What a fault does to a machine is in faults.go of package world.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// injector makes faults act on a simulated world. It implements nemesis.Injector.
type injector struct {
	world *world.World
	roles scenarios.RoleWatch // nil: no fault needs it
}

var (
	_ nemesis.Injector     = injector{}
	_ nemesis.RoleInjector = injector{}
)

// Holder implements nemesis.RoleInjector.
func (i injector) Holder(_ context.Context, role string) (machine int, found bool, err error) {
	if role == scenarios.RoleServing {
		return i.world.LastCalled(), true, nil
	}
	if i.roles == nil {
		return 0, false, fmt.Errorf("finding the machine with the role %s: %w", role, errors.ErrUnsupported)
	}
	m, found := i.roles.Holder(role)
	return int(m), found, nil
}

// Effect implements nemesis.Injector.
func (i injector) Effect(machine int, f *fault.Fault) (nemesis.Effect, error) {
	e, err := i.world.MachineAt(machine).Effect(f)
	if err != nil {
		return nemesis.Effect{}, err
	}
	return nemesis.Effect{
		Begin: func(context.Context) error { e.Begin(); return nil },
		End:   func(context.Context) error { e.End(); return nil },
		Hits:  e.Hits,
	}, nil
}

// ChangeLinks implements nemesis.Injector.
func (i injector) ChangeLinks(change func(*fault.Net)) { change(i.world.Net) }

// Now implements nemesis.Injector.
func (i injector) Now() time.Duration { return i.world.Now() }

// faultInjection lets the kernel carry out the actions of a scheduler. The code of an event is the
// action's step, its argument the fault.
type faultInjection struct {
	*nemesis.Scheduler
	world *world.World
}

// scheduleFaults begins the schedule of a run.
func scheduleFaults(w *world.World, roles scenarios.RoleWatch, machines []string, list []fault.Fault,
	warmup, duration time.Duration) *faultInjection {
	f := &faultInjection{nemesis.New(injector{w, roles}, machines, list, warmup, duration), w}
	f.planActions(f.Start())
	return f
}

func (f *faultInjection) planActions(actions []nemesis.Action) {
	for _, a := range actions {
		f.world.Kernel.At(int64(a.At), f, uint32(a.Step), uint64(a.Fault))
	}
}

// observe passes to the scheduler what a process has recorded or reached. What follows begins after the step
// that the process makes, before anything that it sends can arrive.
func (f *faultInjection) observe(m env.MachineID, trigger string) {
	if f != nil { // nil: the run has not begun
		f.planActions(f.Observe(int(m), trigger))
	}
}

// Handle implements kernel.Handler.
func (f *faultInjection) Handle(code uint32, arg uint64) {
	now := f.world.Now()
	f.planActions(f.Execute(context.Background(), nemesis.Action{At: now, Step: nemesis.Step(code),
		Fault: int(arg)}))
}
