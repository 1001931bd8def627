package explore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/register"
)

// story is a scenario with faults of its own.
func story(t require.TestingT, faults string) (*scenarios.Scenario, scenarios.Subject) {
	s, subject, err := scenarios.Parse("story.yaml", []byte(`
name: story
story: A machine loses its power, and then two are cut off.
machines: 5
duration: 100s
workload: {clients: 4, operations: 100, keys: 5}
expect: {probes: [none], succeeded: 90%}
faults:`+faults+`
subject: {kind: register}
`), scenarios.Kinds{register.Kind: register.Decode})
	require.NoError(t, err)
	return s, subject
}

const twoFaults = `
  - {kind: power-cut, at: 20s, for: 10s, machines: [n1]}
  - {kind: partition, at: 50s, for: 10s, groups: [[n2, n3]]}`

// TestEveryChangeIsAScenario: whatever the strategy and the seed, the result is valid, has the same machines,
// does no more damage than the subject must survive, and is the same again.
func TestEveryChangeIsAScenario(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		faults := rapid.SampledFrom([]string{" []", twoFaults}).Draw(t, "faults")
		name := rapid.SampledFrom(explore.Names()).Draw(t, "strategy")
		seed := rapid.Uint64Range(0, 1000).Draw(t, "seed")
		s, subject := story(t, faults)
		before, err := scenarios.Marshal(s)
		require.NoError(t, err)
		changed, with, err := explore.Apply(name, s, subject, seed)
		require.NoError(t, err)
		require.NoError(t, changed.Validate())
		require.NoError(t, scenarios.CheckProcesses(changed, with))
		require.Equal(t, s.Machines, changed.Machines)
		for i := range changed.Faults {
			if name == "flurry" {
				break // it may do more
			}
			at := changed.Faults[i].At
			require.True(t, with.Judge().Survives(changed.DamageAt(changed.Faults, at)), "at %v", at)
		}
		after, err := scenarios.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "the scenario itself must not change")
		again, _, err := explore.Apply(name, s, subject, seed)
		require.NoError(t, err)
		require.Equal(t, changed.Faults, again.Faults)
		require.Equal(t, changed.Workload, again.Workload)
	})
}

func TestPlainLeavesTheScenario(t *testing.T) {
	s, subject := story(t, twoFaults)
	same, _, err := explore.Apply(explore.Plain, s, subject, 7)
	require.NoError(t, err)
	require.Same(t, s, same)
}

// TestStrategiesDiffer: they reach different schedules, and each reaches most kinds of faults.
func TestStrategiesDiffer(t *testing.T) {
	s, subject := story(t, twoFaults)
	for _, name := range explore.Names()[1:] {
		kinds, counts := map[fault.Kind]int{}, map[int]bool{}
		shortest, longest := time.Hour, time.Duration(0)
		for seed := range uint64(thorough.Count(60, 300)) {
			changed, _, err := explore.Apply(name, s, subject, seed)
			require.NoError(t, err)
			counts[len(changed.Faults)] = true
			for i := range changed.Faults {
				kinds[changed.Faults[i].Kind]++
				shortest, longest = min(shortest, changed.Faults[i].For), max(longest, changed.Faults[i].For)
			}
			require.Empty(t, changed.Expect.Probes)
			require.Nil(t, changed.Expect.Succeeded, "that held for the scenario's own faults")
		}
		require.Greater(t, len(kinds), 10, "%s: %v", name, kinds)
		require.Greater(t, len(counts), 4, name)
		require.Less(t, shortest, time.Second, name)
		require.GreaterOrEqual(t, longest, 3*time.Second, name)
		for kind := range kinds {
			f := fault.Fault{Kind: kind}
			require.False(t, f.LosesData(), "%s draws %s", name, kind)
		}
	}
}

func TestWhatCannotBeChanged(t *testing.T) {
	s, subject := story(t, "\n  - {kind: disk-wipe, at: 20s, for: 10s, machines: [n1]}")
	_, _, err := explore.Apply("swarm", s, subject, 1)
	require.ErrorIs(t, err, scenarios.ErrFixedStory)
	_, _, err = explore.Apply("rnadom", s, subject, 1)
	require.ErrorIs(t, err, explore.ErrUnknownStrategy)
	require.ErrorContains(t, err, "plain")
}
