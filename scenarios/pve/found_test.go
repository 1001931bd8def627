package pve_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestFoundBugsStayFixed runs the seeds that once showed a bug of this project. Each fails again with
// the bug planted; docs/found-bugs.md describes the bugs. The long runs wait for make thorough.
func TestFoundBugsStayFixed(t *testing.T) {
	for _, found := range []struct {
		story string
		seed  uint64
		bug   string
		long  bool
	}{
		{"minority-partition", 1, "a directory had another digest in a snapshot than where it was made",
			false},
		{"rolling-power-cycle", 1, "a directory had another digest when it was read back from disk", false},
		{"register-torn-journal", 1, "a torn entry that left zeros was read as an empty one", true},
		{"register-torn-journal", 2, "what a failed sync had left readable was taken for durable", false},
		{"ha-storm", 4946, "a guest that moved to a machine which had just been reset was taken for guarded",
			true},
		{"ha-storm", 4387,
			"the judge forgot that an agent had waited for a lock, as it moved its service away", true},
		{"ha-storm", 4824, "a checkpoint that was written again and synced still counted as lost", true},
		{"ha-storm", 4974, "a late machine ended its neighbors' rings until one was reset", true},
		{"guest-number-race", 1, "two guests of one number, each created on a node of its own", false},
		{"ha-node-never-seen", 1, "a service on a node that no master had seen was never recovered", true},
		{"ha-storm-without-quorum", 646, "a node that had given up its protection for disarming started a " +
			"service", true},
		{"ha-stalled-bystanders", 1, "a healthy machine waited for a ring until its watchdog reset it", true},
		{"disk-rots", 3, "a log entry that had rotted on the disk was taken for what was written", true},
		{"lock-storm", 662, "a node that owed packets to no ring was refused by all, itself included", true},
		{"lock-storm", 168, "a lock was taken over at the revision of a renewal that was never acknowledged",
			true},
		{"disk-lies", 104,
			"a local read from what a lying disk had left was taken for a store that goes back", false},
		{"minority-partition-of-five", 118,
			"a local read of a branch that lost was taken for one of the future", false},
	} {
		t.Run(found.bug, func(t *testing.T) {
			if found.long {
				thorough.Only(t, "half a second of processor time")
			}
			s, subject := load(t, found.story)
			run, err := sim.Runner{}.Run(context.Background(), s, subject,
				scenarios.RunOptions{Seed: found.seed})
			require.NoError(t, err)
			for _, v := range run.Verdicts {
				require.Equal(t, linearizability.Valid, v.Validity, "%s, seed %d: %s: %s", found.story,
					found.seed, v.Checker, v.Summary)
			}
		})
	}
}

// TestBugsFoundByStrategiesStayFixed: the same for runs whose faults a strategy has changed.
func TestBugsFoundByStrategiesStayFixed(t *testing.T) {
	thorough.Only(t, "a second of processor time")
	for _, found := range []struct {
		story, strategy string
		seed            uint64
		bug             string
	}{
		{"ha-shutdown", "bridge", 201, "an agent that got its lock back gave it away with its services " +
			"running"},
		{"ha-shutdown", "flurry", 201, "a node left its ring although its agent could stop nothing"},
		{"orderly-stops", "bridge", 16,
			"a node left its ring with a guest that had been left running, frozen"},
	} {
		t.Run(found.bug, func(t *testing.T) {
			s, subject := load(t, found.story)
			s, subject, err := explore.Apply(found.strategy, s, subject, found.seed)
			require.NoError(t, err)
			run, err := sim.Runner{}.Run(context.Background(), s, subject,
				scenarios.RunOptions{Seed: found.seed})
			require.NoError(t, err)
			require.Equal(t, linearizability.Valid, run.Verdict())
		})
	}
}
