package nemesis

import (
	"context"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// maxMoves is how often the faults of a run move altogether; then they stay where they are.
const maxMoves = 10_000

// followRole looks which machine has the role of a fault. When the role has moved to another machine, the
// fault ends on the old machine and begins on the new one: each place is a fault of its own in what was
// applied. While no machine has the role, the fault stays where it is.
func (s *Scheduler) followRole(ctx context.Context, i int) []Action {
	if !s.isActive[i] {
		return nil
	}
	f, now := s.faults[i], s.injector.Now()
	again := []Action{{At: now + f.Follow, Step: Follow, Fault: i}}
	if s.moves >= maxMoves {
		return nil
	}
	machine, found, err := holderOf(ctx, s.injector, f.Role)
	if err != nil {
		s.recordProblem(i, "moving", err)
		return nil
	}
	if !found || !s.aimless[i] && s.holders[i] == machine {
		return again
	}
	s.moves++
	s.endFault(ctx, i)
	moved := f.AimedAgain()
	moved.At = now - s.startOffset
	if f.For > 0 {
		moved.For = max(f.For-(now-s.applied[i].Begun[0]), 1)
	}
	// The machine is not asked for again: on real nodes the role may have moved on by then, even back.
	next := s.addFault(moved.AimedAt(s.machines[machine]))
	s.holders[next] = machine
	return s.beginFault(ctx, next)
}

// addFault adds a fault to the schedule and returns its index.
func (s *Scheduler) addFault(f fault.Fault) int {
	s.faults = append(s.faults, &f)
	s.isActive, s.hasBegun, s.aimless = append(s.isActive, false), append(s.hasBegun, false),
		append(s.aimless, false)
	s.holders, s.triggers = append(s.holders, 0), append(s.triggers, 0)
	s.applied, s.effects = append(s.applied, scenarios.Applied{Fault: f}), append(s.effects, nil)
	return len(s.faults) - 1
}
