package nemesis

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// wait is that of a fault for its trigger.
type wait struct {
	fault   int // index in the schedule
	trigger string
	left    int // how often the trigger has to come
}

// waitList holds the faults that wait for their triggers, in the order in which they began to.
type waitList []wait

// add lets a fault wait from now on, and returns when it gives up.
func (l *waitList) add(i int, f *fault.Fault, now time.Duration) []Action {
	*l = append(*l, wait{fault: i, trigger: f.Trigger, left: max(f.Nth, 1)})
	if f.Within == 0 {
		return nil // it waits until all faults end
	}
	return []Action{{At: now + f.Within, Step: GiveUp, Fault: i}}
}

// remove ends the wait of a fault, if it still waits.
func (l *waitList) remove(i int) {
	*l = slices.DeleteFunc(*l, func(w wait) bool { return w.fault == i })
}

// observe counts a trigger, and removes and returns the faults for which it has come often enough.
func (l *waitList) observe(trigger string) (due []int) {
	for i := range *l {
		w := &(*l)[i]
		if w.trigger != trigger {
			continue
		}
		if w.left--; w.left == 0 {
			due = append(due, w.fault)
		}
	}
	if len(due) > 0 {
		*l = slices.DeleteFunc(*l, func(w wait) bool { return w.left == 0 })
	}
	return due
}

// Observe counts that a process of a machine has emitted a kind of record, or reached a probe. It returns the
// beginnings of the faults that have waited for it.
func (s *Scheduler) Observe(machine int, trigger string) []Action {
	if len(s.waits) == 0 {
		return nil
	}
	now := s.injector.Now()
	var actions []Action
	for _, i := range s.waits.observe(trigger) {
		// What would begin when all faults end never begins.
		if at := now + s.faults[i].Delay; at < s.runEnd {
			s.triggers[i] = machine
			actions = append(actions, Action{At: at, Step: Trigger, Fault: i})
		}
	}
	return actions
}

// beginTriggered makes a fault act whose trigger has come, unless it cannot act together with another one.
func (s *Scheduler) beginTriggered(ctx context.Context, i int) []Action {
	s.recordProblem(i, "injecting", s.aim(ctx, i))
	if conflicts(s, i) {
		return nil
	}
	return s.beginFault(ctx, i)
}

// conflicts reports whether a fault that would begin now cannot act together with one that acts, or will
// begin at a fixed time meanwhile.
func conflicts(s *Scheduler, i int) bool {
	began := *s.faults[i]
	began.At, began.Trigger = s.injector.Now()-s.startOffset, ""
	for k, f := range s.faults {
		if k == i || f.Trigger != "" && !s.isActive[k] {
			continue
		}
		other := *f
		if other.Trigger = ""; s.isActive[k] {
			other.At = s.applied[k].Begun[0] - s.startOffset
		}
		if fault.Conflict(&began, &other, s.machines, s.runEnd-s.startOffset) != "" {
			return true
		}
	}
	return false
}

// divide returns the faults that were injected, or must be reported because they were not, and those that
// have waited for their triggers in vain.
func divide(s *Scheduler) (applied []scenarios.Applied, untriggered []fault.Fault) {
	for i := range s.applied {
		if s.faults[i].Trigger != "" && !s.hasBegun[i] {
			untriggered = append(untriggered, *s.faults[i])
			continue
		}
		applied = append(applied, s.applied[i])
	}
	return applied, untriggered
}
