package chaos

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis"
)

// injector makes faults act on real nodes. It implements nemesis.Injector.
type injector struct{ run *run }

var (
	_ nemesis.Injector     = injector{}
	_ nemesis.RoleInjector = injector{}
)

// Holder implements nemesis.RoleInjector. It reads what the programs have recorded until now.
func (i injector) Holder(_ context.Context, role string) (machine int, found bool, err error) {
	if role == scenarios.RoleServing {
		return int(i.run.lastCalled.Load()), true, nil
	}
	judge, knows := i.run.result.Subject.Judge().(scenarios.RoleJudge)
	if !knows {
		return 0, false, fmt.Errorf("finding the machine with the role %s: %w", role, errors.ErrUnsupported)
	}
	records, err := recordsSoFar(i.run)
	if err != nil {
		return 0, false, fmt.Errorf("finding the machine with the role %s: %w", role, err)
	}
	watch := judge.WatchRoles(i.run.result.Scenario)
	for _, r := range records {
		watch.Observe(r)
	}
	m, found := watch.Holder(role)
	return int(m), found, nil
}

// Effect implements nemesis.Injector. Beginning and ending a fault keep the machine's watchdog from
// booting it meanwhile.
func (i injector) Effect(machine int, f *fault.Fault) (nemesis.Effect, error) {
	m := i.run.machines[machine]
	e, err := m.faultEffect(f)
	if err != nil {
		return nemesis.Effect{}, err
	}
	locked := func(do func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			m.faultMu.Lock()
			defer m.faultMu.Unlock()
			return do(ctx)
		}
	}
	return nemesis.Effect{Begin: locked(e.Begin), End: locked(e.End)}, nil
}

// ChangeLinks implements nemesis.Injector.
func (i injector) ChangeLinks(change func(*fault.Net)) { i.run.frameSwitch.Change(change) }

// Now implements nemesis.Injector.
func (i injector) Now() time.Duration { return i.run.now() }

// faultEffect returns what a fault does to the machine.
func (m *machine) faultEffect(f *fault.Fault) (nemesis.Effect, error) {
	if m.powerSwitch == nil && (f.Kind == fault.PowerCut || f.Kind == fault.PowerOn) {
		return nemesis.Effect{}, fmt.Errorf("the power of %s: %w", m.Name, errors.ErrUnsupported)
	}
	switch f.Kind {
	case fault.Kill:
		return nemesis.Effect{
			Begin: func(ctx context.Context) error { return m.beginKill(ctx, f.Process) },
			End:   func(ctx context.Context) error { return m.endKill(ctx, f.Process) }}, nil
	case fault.Pause:
		return nemesis.Effect{
			Begin: func(ctx context.Context) error { return m.beginPause(ctx, f.Process) },
			End:   func(ctx context.Context) error { return m.endPause(ctx, f.Process) }}, nil
	case fault.PowerCut:
		return nemesis.Effect{
			Begin: func(context.Context) error { return m.powerSwitch.beginCut() },
			End:   func(context.Context) error { return m.powerSwitch.endCut() }}, nil
	case fault.PowerOn:
		return nemesis.Effect{
			Begin: func(context.Context) error { return m.powerSwitch.boot() },
			End:   func(context.Context) error { return nil }}, nil
	case fault.ClockStep, fault.ClockDrift:
		return nemesis.Effect{
			Begin: func(ctx context.Context) error { return m.changeClock(ctx, f.Step, f.DriftPPM) },
			End:   func(ctx context.Context) error { return m.changeClock(ctx, -f.Step, -f.DriftPPM) }}, nil
	}
	return nemesis.Effect{}, fmt.Errorf("%s on real nodes: %w", f.Kind, errors.ErrUnsupported)
}

// actionHeap is a heap of actions with the next one on top. Actions at one instant are in the order in
// which they were planned.
type actionHeap []plannedAction

// plannedAction is an action with its position in the order of planning.
type plannedAction struct {
	nemesis.Action
	seq int
}

func (a actionHeap) Len() int { return len(a) }
func (a actionHeap) Less(i, j int) bool {
	if a[i].At != a[j].At {
		return a[i].At < a[j].At
	}
	return a[i].seq < a[j].seq
}
func (a actionHeap) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *actionHeap) Push(x any)   { *a = append(*a, x.(plannedAction)) }
func (a *actionHeap) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// scheduler carries out the faults of a run in real time.
type scheduler struct {
	*nemesis.Scheduler
	run            *run
	pendingActions actionHeap
	seq            int
	maxLateness    time.Duration // the longest time from when an action was due to its start
}

func (s *scheduler) addActions(actions []nemesis.Action) {
	for _, a := range actions {
		s.seq++
		heap.Push(&s.pendingActions, plannedAction{a, s.seq})
	}
}

// injectFaults carries out the scenario's faults for its duration, beginning now, and then ends the
// faults that are still active.
func (r *run) injectFaults(ctx context.Context) {
	sc := r.result.Scenario
	s := &scheduler{run: r, Scheduler: nemesis.New(injector{r}, sc.Machines, sc.Faults, r.now(), sc.Duration)}
	s.addActions(s.Start())
	for len(s.pendingActions) > 0 && s.pendingActions[0].At < s.End() && ctx.Err() == nil {
		r.waitUntil(ctx, phaseFaults, s.pendingActions[0].At)
		if ctx.Err() == nil {
			a := heap.Pop(&s.pendingActions).(plannedAction).Action
			s.maxLateness = max(s.maxLateness, r.now()-a.At)
			s.addActions(s.Execute(ctx, a))
		}
	}
	r.waitUntil(ctx, phaseFaults, s.End())
	// A run that is being stopped ends its faults too: a frozen machine cannot be shut down.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	s.Finish(ending)
	for _, problem := range s.Problems() {
		r.addProblem("%s", problem)
	}
	if s.maxLateness > lateAfter {
		r.addNote("a fault was injected %v late: this machine is busy", s.maxLateness.Round(time.Millisecond))
	}
	r.result.Applied = s.Applied()
}

const (
	endTimeout     = 15 * time.Second // for ending all faults together
	controlTimeout = 3 * time.Second  // for one request to a program
	// lateAfter is from how late a fault on a run's notes mention it.
	lateAfter = 50 * time.Millisecond
)
