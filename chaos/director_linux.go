package chaos

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// director makes the faults of a scenario happen, each at its time.
type director struct {
	run     *run
	faults  []fault.Fault
	applied []scenarios.Applied
	active  []bool
	agenda  agenda
	seq     int
	latest  time.Duration // the worst delay of an action
}

// action is something to do at a time of the run.
type action struct {
	at  time.Duration
	seq int
	do  func(ctx context.Context)
}

// agenda is a heap of actions, the next on top.
type agenda []action

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at != a[j].at {
		return a[i].at < a[j].at
	}
	return a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(action)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func newDirector(r *run) *director {
	d := &director{run: r, faults: slices.Clone(r.out.Scenario.Faults)}
	d.active = make([]bool, len(d.faults))
	d.applied = make([]scenarios.Applied, len(d.faults))
	for i := range d.faults {
		d.applied[i].Fault = d.faults[i]
	}
	return d
}

func (d *director) plan(at time.Duration, do func(ctx context.Context)) {
	d.seq++
	heap.Push(&d.agenda, action{at: at, seq: d.seq, do: do})
}

// play plays the faults from begin for the duration, then heals what is left.
func (d *director) play(ctx context.Context, begin, duration time.Duration) {
	for i := range d.faults {
		d.plan(begin+d.faults[i].At, func(ctx context.Context) { d.begin(ctx, i, begin+duration) })
	}
	end := begin + duration
	for len(d.agenda) > 0 && d.agenda[0].at < end && ctx.Err() == nil {
		d.run.passTime(ctx, phaseFaults, d.agenda[0].at)
		if ctx.Err() == nil {
			a := heap.Pop(&d.agenda).(action)
			d.latest = max(d.latest, d.run.now()-a.at)
			a.do(ctx)
		}
	}
	d.run.passTime(ctx, phaseFaults, end)
	// Healing must happen even when the run is being stopped, or its end would be disorderly.
	healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTimeout)
	defer cancel()
	for i := range d.faults {
		d.heal(healing, i)
		if d.applied[i].Begun[1] == 0 {
			d.applied[i].Problem = "the run was stopped before it was due"
		}
	}
	if d.latest > lateAfter {
		d.run.note("a fault was injected %v late: this machine is busy", d.latest.Round(time.Millisecond))
	}
}

const (
	healTimeout    = 15 * time.Second
	controlTimeout = 3 * time.Second
	// lateAfter is the delay of a fault from which readers are told of it.
	lateAfter = 50 * time.Millisecond
)

func (d *director) begin(ctx context.Context, i int, end time.Duration) {
	f := &d.faults[i]
	before := d.run.now()
	err := d.inject(ctx, f)
	d.active[i] = true
	d.applied[i].Begun = [2]time.Duration{before, d.run.now()}
	d.failed(i, "injecting", err)
	if f.For > 0 && before+f.For < end {
		d.plan(before+f.For, func(ctx context.Context) { d.heal(ctx, i) })
	}
	if f.Kind == fault.Flap {
		d.plan(before+f.Down, func(context.Context) { d.toggle(i) })
	}
}

func (d *director) toggle(i int) {
	if !d.active[i] {
		return
	}
	var next time.Duration
	d.run.sw.Change(func(n *fault.Net) { next = n.Toggle(&d.faults[i]) })
	d.plan(d.run.now()+next, func(context.Context) { d.toggle(i) })
}

func (d *director) heal(ctx context.Context, i int) {
	if !d.active[i] {
		return
	}
	d.active[i] = false
	before := d.run.now()
	err := d.undo(ctx, &d.faults[i])
	d.applied[i].Ended = [2]time.Duration{before, d.run.now()}
	d.failed(i, "healing", err)
}

func (d *director) failed(i int, doing string, err error) {
	if err == nil {
		return
	}
	if d.applied[i].Problem == "" {
		d.applied[i].Problem = err.Error()
	}
	d.run.problem("%s %s: %v", doing, d.faults[i].Kind, err)
}

func (d *director) inject(ctx context.Context, f *fault.Fault) error {
	if f.IsNetwork() {
		d.run.sw.Change(func(n *fault.Net) { n.Begin(f) })
		return nil
	}
	return d.each(f, func(m *machine) error {
		switch f.Kind {
		case fault.Kill:
			return m.beginKill(ctx, f.Process)
		case fault.Pause:
			return m.beginPause(ctx, f.Process)
		case fault.PowerCut:
			return m.beginCut()
		case fault.PowerOn:
			return m.pressPower()
		case fault.ClockStep, fault.ClockDrift:
			return m.changeClock(ctx, f.Step, f.DriftPPM)
		}
		return fmt.Errorf("%s: %w", f.Kind, errors.ErrUnsupported)
	})
}

func (d *director) undo(ctx context.Context, f *fault.Fault) error {
	if f.IsNetwork() {
		d.run.sw.Change(func(n *fault.Net) { n.End(f) })
		return nil
	}
	return d.each(f, func(m *machine) error {
		switch f.Kind {
		case fault.Kill:
			return m.endKill(ctx, f.Process)
		case fault.Pause:
			return m.endPause(ctx, f.Process)
		case fault.PowerCut:
			return m.endCut()
		case fault.PowerOn:
			return nil // a button has no lasting effect
		case fault.ClockStep, fault.ClockDrift:
			return m.changeClock(ctx, -f.Step, -f.DriftPPM)
		}
		return fmt.Errorf("%s: %w", f.Kind, errors.ErrUnsupported)
	})
}

// each does something to every machine that a fault names.
func (d *director) each(f *fault.Fault, do func(*machine) error) error {
	var failed []error
	for _, m := range d.run.machines {
		if slices.Contains(f.Machines, m.Name) || slices.Contains(f.Machines, fault.All) {
			m.faults.Lock()
			failed = append(failed, do(m))
			m.faults.Unlock()
		}
	}
	return errors.Join(failed...)
}
