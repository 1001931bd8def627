package sim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

// branched runs a scenario with faults drawn every second, with branches.
func branched(t *testing.T, branches ...draw.Branch) *scenarios.Run {
	s, subject, err := scenarios.Parse("branch.yaml", []byte(`
name: branch
story: Faults of many kinds, one every second.
machines: 3
duration: 30s
workload: {operations: 300}
nemesis: {kinds: [partition, cut, kill, pause, power-cut, link], every: 1s, for_min: 100ms, for_max: 2s}
subject: {kind: register}
`), scenarios.Kinds{register.Kind: register.Decode})
	require.NoError(t, err)
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 5, Branches: branches})
	require.NoError(t, err)
	return run
}

// before returns what happened before a time.
func before(run *scenarios.Run, at time.Duration) (events []history.Event, faults []scenarios.Applied) {
	for _, e := range run.Events {
		if e.Time < int64(at) {
			events = append(events, e)
		}
	}
	for _, f := range run.Applied {
		if f.Begun[0] < at {
			f.Ended, f.Hits = [2]time.Duration{}, nil // that may come later
			faults = append(faults, f)
		}
	}
	return events, faults
}

// TestABranchChangesTheFutureAlone: what happened before a branch is as without it, faults included;
// afterwards another seed decides, and the same branch gives the same future.
func TestABranchChangesTheFutureAlone(t *testing.T) {
	const at = 22 * time.Second
	plain, other := branched(t), branched(t, draw.Branch{At: at, Seed: 77})
	eventsBefore, faultsBefore := before(plain, at)
	events, faults := before(other, at)
	require.Equal(t, eventsBefore, events)
	require.Equal(t, faultsBefore, faults)
	require.Greater(t, len(faults), 3)
	require.Less(t, len(faults), len(plain.Applied)-3)
	require.NotEqual(t, plain.Digest, other.Digest)
	require.False(t, slices.EqualFunc(plain.Applied, other.Applied,
		func(a, b scenarios.Applied) bool { return a.Fault.At == b.Fault.At }), "later faults are drawn anew")
	require.Equal(t, other.Digest, branched(t, draw.Branch{At: at, Seed: 77}).Digest)
	require.Equal(t, plain.Digest, branched(t, draw.Branch{At: at, Seed: 5}).Digest, "the same seed again")

	twice := branched(t, draw.Branch{At: at, Seed: 77}, draw.Branch{At: 30 * time.Second, Seed: 78})
	eventsBefore, _ = before(other, 30*time.Second)
	events, _ = before(twice, 30*time.Second)
	require.Equal(t, eventsBefore, events)
	require.NotEqual(t, other.Digest, twice.Digest)
}
