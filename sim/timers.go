package sim

import (
	"context"
	"math/bits"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// A run that measures timers has no faults and is short. Its seed is always the same, so that what is
// measured depends on the scenario alone.
const (
	measureSeed       = 1
	measureWarmup     = 5 * time.Second // at most
	measureDuration   = 5 * time.Second // at most
	measureOperations = 50              // at most
)

// withTimers returns the scenario with the times of its nemesis that it leaves to timers which the subject
// does not state: they are measured. The run's scenario holds them, so a replay does not measure again.
func withTimers(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject) (*scenarios.Scenario,
	error) {
	if !scenarios.NeedsTimers(s, subject) {
		return s, nil
	}
	calm := *s
	calm.Nemesis, calm.Faults = nil, nil
	calm.Warmup = min(s.Warmup, measureWarmup)
	calm.Duration, calm.Quiescence = min(s.Duration, measureDuration), 0
	calm.Workload.Operations = min(s.Workload.Operations, measureOperations)
	o := scenarios.RunOptions{Seed: measureSeed}
	seen := timerLengths{}
	_, err := simulateVaried(ctx, &calm, subject, o, choicesOf(o), func(w *world.World) {
		world.ObserveTimers(w, seen.note)
	})
	if err != nil {
		return nil, err
	}
	return s.WithTimers(seen.timers()), nil
}

// timerLengths counts the timers that each process sets, by the doubling of a microsecond in which their
// length lies.
type timerLengths map[timerClass]timerCount

type timerClass struct {
	machine  env.MachineID
	process  string
	doubling int
}

type timerCount struct {
	count             int
	shortest, longest time.Duration
}

// leastTimer is the shortest timer that is noted: shorter ones put work off and wait for nothing.
const leastTimer = time.Millisecond

// usualCount is how often a process sets timers of about one length if they are a part of its normal work.
// Those that it sets once, for example to clean up after an hour, are not.
const usualCount = 3

func (l timerLengths) note(machine env.MachineID, process string, after time.Duration) {
	if after < leastTimer {
		return
	}
	class := timerClass{machine, process, bits.Len64(uint64(after / time.Microsecond))}
	c := l[class]
	if c.count == 0 || after < c.shortest {
		c.shortest = after
	}
	c.count, c.longest = c.count+1, max(c.longest, after)
	l[class] = c
}

// timers returns the lengths of the shortest and the longest usual timer; zeros when there is none.
func (l timerLengths) timers() scenarios.Timers {
	var t scenarios.Timers
	for _, c := range l {
		if c.count < usualCount {
			continue
		}
		if t.Shortest == 0 || c.shortest < t.Shortest {
			t.Shortest = c.shortest
		}
		t.Longest = max(t.Longest, c.longest)
	}
	return t
}
