package world

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// callTrigger is a fault that waits for one disk call.
type callTrigger struct {
	process   string // whose calls count; "" for all of the machine
	operation string // the calls that count; "" for all that change the disk
	left      int    // calls until it acts
	after     bool   // it acts when the call has taken effect
	crash     func() // nil: the call fails

	hit       bool  // its call was reached
	caller    *Proc // waits for the crash
	hasActed  bool
	cancelled bool
}

// addTrigger makes a fault wait for its call.
func (d *diskState) addTrigger(t *callTrigger) { d.triggers = append(d.triggers, t) }

func (d *diskState) removeTrigger(t *callTrigger) {
	d.triggers = slices.DeleteFunc(d.triggers, func(u *callTrigger) bool { return u == t })
}

// countCall counts a call of a process and returns the fault that acts on it; nil if none does.
func (d *diskState) countCall(p *Proc, operation string) *callTrigger {
	for _, t := range d.triggers {
		counts := t.operation == operation || t.operation == "" && operation != "read"
		if t.hit || !counts || t.process != "" && t.process != p.spec.Name {
			continue
		}
		if t.left--; t.left == 0 {
			t.hit = true
			return t
		}
	}
	return nil
}

// crashNow lets a fault end the calling process in the middle of its call. It returns only if the fault has
// ended before it could act.
func (d procDisk) crashNow(t *callTrigger) {
	p := d.proc
	if t.cancelled {
		return // the fault ended while the call was under way
	}
	t.caller = p
	p.world().callAfter(0, func() {
		if !t.cancelled {
			t.hasActed = true
			t.crash()
		}
	})
	p.suspendStep()
}

// awaitCrash makes a fault act on a call that is about to take effect, now or when it has.
func (d procDisk) awaitCrash(t *callTrigger) error {
	if t.after {
		d.proc.crashAfterCall = t
		return nil
	}
	d.crashNow(t)
	if d.hasEnded() {
		return env.ErrDead
	}
	return nil
}

// endChange ends a call that has taken effect.
func (d procDisk) endChange() {
	if t := d.proc.crashAfterCall; t != nil {
		d.proc.crashAfterCall = nil
		d.crashNow(t)
	}
}

// crashAtCall is the effect of a kill or power cut that waits for a disk call.
func crashAtCall(m *Machine, f *fault.Fault, begin, end func()) Effect {
	t := &callTrigger{process: f.Process, left: f.AtDiskCall, after: f.AfterCall, crash: begin}
	return Effect{
		Begin: func() { m.diskState.addTrigger(t) },
		End: func() {
			m.diskState.removeTrigger(t)
			if t.hasActed {
				end()
				return
			}
			t.cancelled = true
			if p := t.caller; p != nil && p.park.Waiting() {
				m.world.Kernel.After(0, p, codeWake, p.generation)
			}
		},
		Hits: func() uint64 { return countOf(t.hasActed) },
	}
}

// failCall is the effect of a disk error that acts on one call only.
func failCall(m *Machine, f *fault.Fault) Effect {
	t := &callTrigger{operation: f.Operation, left: f.AtDiskCall}
	return Effect{Begin: func() { m.diskState.addTrigger(t) }, End: func() { m.diskState.removeTrigger(t) },
		Hits: func() uint64 { return countOf(t.hit) }}
}

func countOf(happened bool) uint64 {
	if happened {
		return 1
	}
	return 0
}
