package explore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
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

// severe are the strategies that may do more damage than the subject must survive.
var severe = []string{"trigger", "flurry", "churn", "bridge", "sweep"}

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
			if slices.Contains(severe, name) {
				break // they may do more
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
		for seed := range uint64(thorough.Count(20, 300)) {
			changed, _, err := explore.Apply(name, s, subject, seed)
			require.NoError(t, err)
			counts[len(changed.Faults)] = true
			for i := range changed.Faults {
				kinds[changed.Faults[i].Kind]++
				shortest, longest = min(shortest, changed.Faults[i].For), max(longest, changed.Faults[i].For)
			}
			require.Empty(t, changed.Expect.Probes)
			if slices.Contains(severe, name) {
				require.Zero(t, *changed.Expect.Succeeded, "perhaps nothing is served")
			} else {
				require.Nil(t, changed.Expect.Succeeded, "that held for the scenario's own faults")
			}
		}
		require.GreaterOrEqual(t, len(kinds), leastKinds(name), "%s: %v", name, kinds)
		if name != "sweep" { // it enumerates
			require.Greater(t, len(counts), 4, name)
		}
		require.Less(t, shortest, time.Second, name)
		require.GreaterOrEqual(t, longest, 3*time.Second, name)
		for kind := range kinds {
			f := fault.Fault{Kind: kind}
			require.False(t, f.LosesData(), "%s draws %s", name, kind)
		}
	}
}

// leastKinds is how many kinds of faults a strategy must reach.
func leastKinds(name string) int {
	switch name {
	case "churn":
		return 7
	case "bridge":
		return 4
	case "sweep":
		return 2
	}
	return 11
}

// TestChurnFollowsARole: in every run a fault follows a role of the subject, in many runs its own one.
func TestChurnFollowsARole(t *testing.T) {
	s, subject := story(t, " []")
	roles := map[string]int{}
	for seed := range uint64(60) {
		changed, _, err := explore.Apply("churn", s, subject, seed)
		require.NoError(t, err)
		index := slices.IndexFunc(changed.Faults, func(f fault.Fault) bool { return f.Follow > 0 })
		require.GreaterOrEqual(t, index, 0)
		roles[changed.Faults[index].Role]++
	}
	require.Greater(t, roles[register.RoleWriter], 2*roles[scenarios.RoleServing])
	require.NotZero(t, roles[scenarios.RoleServing])
}

// TestTriggered: the faults of a run wait for several of the subject's records, hit the machine that emitted
// them and others, and act at once or later.
func TestTriggered(t *testing.T) {
	s, subject := story(t, " []")
	triggers, roles, atOnce, waiting := map[string]int{}, map[string]int{}, 0, 0
	for seed := range uint64(40) {
		changed, _, err := explore.Apply(explore.Trigger, s, subject, seed)
		require.NoError(t, err)
		for _, f := range changed.Faults {
			if f.Trigger == "" {
				continue
			}
			waiting++
			triggers[f.Trigger]++
			roles[f.Role]++
			if f.Delay == 0 {
				atOnce++
			}
		}
	}
	require.Greater(t, waiting, 40*4)
	require.Len(t, triggers, 2, "the subject has two kinds of records")
	require.Greater(t, roles[fault.RoleTriggering], waiting/2)
	require.NotZero(t, roles[""])
	require.NotZero(t, roles[register.RoleWriter])
	require.Greater(t, atOnce, waiting/4)
	require.Less(t, atOnce, waiting*3/4)
}

// TestRarePaths: some runs of every strategy ask for rare paths, at a few of the subject's sites or at all.
func TestRarePaths(t *testing.T) {
	s, subject := story(t, " []")
	named := map[string]int{}
	runs, all := 0, 0
	for seed := range uint64(80) {
		changed, _, err := explore.Apply("swarm", s, subject, seed)
		require.NoError(t, err)
		has := false
		for _, f := range changed.Faults {
			if f.Kind != fault.Buggify {
				continue
			}
			has = true
			for _, site := range f.Sites {
				named[site]++
			}
			if f.Sites == nil {
				all++
			}
			require.LessOrEqual(t, f.At+f.For, s.Duration)
			require.NotEqual(t, []string{fault.All}, f.Machines, "the subject does not survive that")
		}
		if has {
			runs++
		}
	}
	require.InDelta(t, 20, runs, 12)
	require.NotZero(t, all)
	require.NotZero(t, named[register.SiteNotAsked])
	require.NotZero(t, named[env.SiteLocalFull])
	changed, _, err := explore.Apply("swarm", s, untold{subject}, 1)
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(changed.Faults,
		func(f fault.Fault) bool { return f.Kind == fault.Buggify }))
}

// TestBridge: one machine reaches each of the others, which do not reach each other.
func TestBridge(t *testing.T) {
	s, subject := story(t, " []")
	for seed := range uint64(thorough.Count(20, 60)) {
		changed, _, err := explore.Apply("bridge", s, subject, seed)
		require.NoError(t, err)
		cuts := map[string]int{}
		for i := range changed.Faults {
			if f := &changed.Faults[i]; f.Kind == fault.Cut && f.At == 0 {
				cuts[f.From[0]] += len(f.To)
				for _, to := range f.To {
					cuts[to]++
				}
			}
		}
		require.Len(t, cuts, 4, "one machine of five is cut from none")
		for machine, count := range cuts {
			require.Equal(t, 3, count, machine)
		}
	}
}

// TestSweepEnumeratesCalls: some seeds after each other crash at every call up to the limit, before and after
// it, with every kind of crash.
func TestSweepEnumeratesCalls(t *testing.T) {
	type crash struct {
		kind  fault.Kind
		all   bool
		call  int
		after bool
	}
	s, subject := story(t, " []")
	seen := map[crash]bool{}
	runs := uint64(0)
	for ; runs < 200 && len(seen) < 3*2*64; runs++ {
		changed, _, err := explore.Apply("sweep", s, subject, 1000+runs)
		require.NoError(t, err)
		for i := range changed.Faults {
			f := &changed.Faults[i]
			all := slices.Equal(f.Machines, []string{fault.All})
			seen[crash{f.Kind, all, f.AtDiskCall, f.AfterCall}] = true
		}
	}
	require.Less(t, runs, uint64(200), "%d", len(seen))
}

func TestWhatCannotBeChanged(t *testing.T) {
	s, subject := story(t, "\n  - {kind: disk-wipe, at: 20s, for: 10s, machines: [n1]}")
	_, _, err := explore.Apply("swarm", s, subject, 1)
	require.ErrorIs(t, err, scenarios.ErrFixedStory)
	s, subject = story(t, " []")
	s.Watchdog = scenarios.WatchdogPowerOff
	require.True(t, explore.CanChange("swarm", s, subject))
	require.False(t, explore.CanChange("churn", s, subject))
	_, _, err = explore.Apply(explore.Trigger, s, untold{subject}, 1)
	require.ErrorIs(t, err, explore.ErrNoTriggers)
	_, _, err = explore.Apply("rnadom", s, subject, 1)
	require.ErrorIs(t, err, explore.ErrUnknownStrategy)
	require.ErrorContains(t, err, "plain")
}

// TestTimersAreDrawn: a subject that states no timers is disturbed at many scales, one that states them at
// its own.
func TestTimersAreDrawn(t *testing.T) {
	shortest := func(subject scenarios.Subject) map[time.Duration]bool {
		s, _ := story(t, " []")
		seen := map[time.Duration]bool{}
		for seed := range uint64(thorough.Count(12, 80)) {
			changed, _, err := explore.Apply("flurry", s, subject, seed)
			require.NoError(t, err)
			least := time.Hour
			for i := range changed.Faults {
				if changed.Faults[i].Kind != fault.PowerOn {
					least = min(least, changed.Faults[i].For)
				}
			}
			seen[least.Round(10*time.Millisecond)] = true
		}
		return seen
	}
	_, unstated := story(t, " []")
	require.Greater(t, len(shortest(unstated)), 5)
	require.Len(t, shortest(stated{unstated}), 1)
}

// stated is a subject with timers of milliseconds.
type stated struct{ scenarios.Subject }

func (stated) Timers() (shortest, longest time.Duration) {
	return 2 * time.Millisecond, 4 * time.Millisecond
}

// untold is a subject that does not state its records.
type untold struct{ scenarios.Subject }

func (u untold) Judge() scenarios.Judge { return struct{ scenarios.Judge }{u.Subject.Judge()} }
