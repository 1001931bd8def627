package pve_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestThirtyWaitForALock: a lock that is held for five seconds each time goes through all of thirty clients,
// and the verdict counts those that got it within ten seconds.
func TestThirtyWaitForALock(t *testing.T) {
	s, subject := load(t, "long-held-lock")
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	require.Equal(t, linearizability.Valid, run.Verdict())
	holders := map[int]bool{}
	for _, e := range run.Events {
		if e.F == workload.Acquire && e.Type == history.OK {
			holders[e.Process%30] = true
		}
	}
	require.Len(t, holders, 30)
	for _, v := range run.Verdicts {
		if v.Checker == check.LockWaitsChecker {
			require.Regexp(t, regexp.MustCompile(
				`^30 of 30 waits were served, [1-3] of them within 10s; half of `+
					`them within 1m\d+(\.\d+)?s, the longest took 2m\d+(\.\d+)?s$`), v.Summary)
			return
		}
	}
	t.Fatal("the waits were not judged")
}

// TestLockOperationsReachTheStore: the store's model judges takes, renewals and releases as well.
func TestLockOperationsReachTheStore(t *testing.T) {
	s, subject := load(t, "lock-storm")
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 2})
	require.NoError(t, err)
	seen := map[string]int{}
	for _, e := range run.Events {
		if e.Type == history.OK {
			seen[e.F]++
		}
	}
	for _, f := range []string{workload.Acquire, workload.Renew, workload.Release, workload.Write} {
		require.Greater(t, seen[f], 5, f)
	}
	require.Equal(t, linearizability.Valid, run.Verdict())
	// Without the answer to one of them the same history is no longer that of a store.
	for i, e := range run.Events {
		if e.F == workload.Renew && e.Type == history.OK {
			run.Events[i].Rev++
			break
		}
	}
	watch := subject.Judge().Watch(s)
	for _, r := range run.Records {
		require.NoError(t, watch.Record(r))
	}
	verdicts := watch.Check(t.Context(), run)
	require.Equal(t, "store", verdicts[0].Checker)
	require.Equal(t, linearizability.Invalid, verdicts[0].Validity, verdicts[0].Summary)
}
