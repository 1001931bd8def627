package pve_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

// brisk is a small cluster with short timers and a disk that is slow enough for faults to hit
// between any two calls of one commit.
func brisk(t testing.TB, faults ...fault.Fault) (*scenarios.Scenario, scenarios.Subject) {
	t.Helper()
	s := &scenarios.Scenario{Name: "brisk", Machines: scenarios.Count(3), Warmup: 2 * time.Second,
		Duration: 1500 * time.Millisecond, Quiescence: 5 * time.Second, Faults: faults,
		Disk: scenarios.Disk{Write: 50 * time.Microsecond, Sync: 2 * time.Millisecond},
		Subject: scenarios.SubjectSpec{Kind: pve.Kind,
			Value: pve.Spec{Token: 300 * time.Millisecond, TokenCoefficient: time.Millisecond}}}
	s.Workload.Clients, s.Workload.Operations, s.Workload.Keys = 3, 60, 3
	s.Workload.Mix = map[string]int{"write": 3, "read": 1}
	s.SetDefaults()
	subject, err := pve.Decode(s)
	require.NoError(t, err)
	return s, subject
}

func runBrisk(t testing.TB, o scenarios.RunOptions, faults ...fault.Fault) *scenarios.Run {
	t.Helper()
	s, subject := brisk(t, faults...)
	run, err := sim.Runner{}.Run(context.Background(), s, subject, o)
	require.NoError(t, err)
	for _, v := range run.Verdicts {
		require.Equal(t, linearizability.Valid, v.Validity, "%s: %s %v, faults %v", v.Checker, v.Summary,
			v.Details, faults)
	}
	return run
}

// commitWindow finds the time in which a machine carries out its n-th change, from the one before
// to the change itself, in the run without faults.
func commitWindow(t testing.TB, machine, n int) (from, to time.Duration) {
	t.Helper()
	var at []time.Duration
	for _, r := range runBrisk(t, scenarios.RunOptions{Seed: 1}).Records {
		if _, ok := r.Record.(store.Applied); ok && int(r.Machine) == machine {
			at = append(at, r.At)
		}
	}
	require.Greater(t, len(at), n)
	return max(at[n-1], at[n]-15*time.Millisecond), at[n]
}

// The power fails at every instant of one commit, between any two writes and syncs of SQLite's
// transaction. Whatever the disk kept, the cluster must hold what it acknowledged.
func TestPowerFailsAtEveryInstantOfACommit(t *testing.T) {
	from, to := commitWindow(t, 1, 8)
	step := (to - from) / time.Duration(thorough.Count(5, 120))
	warmup := 2 * time.Second
	for at := from; at <= to+step; at += step {
		runBrisk(t, scenarios.RunOptions{Seed: 1}, fault.Fault{Kind: fault.PowerCut, At: at - warmup,
			For: 300 * time.Millisecond, Machines: []string{"n2"}})
	}
}

// All machines lose their power at every instant of one commit.
func TestAllPowerFailsAtEveryInstantOfACommit(t *testing.T) {
	from, to := commitWindow(t, 0, 6)
	step := (to - from) / time.Duration(thorough.Count(5, 40))
	warmup := 2 * time.Second
	for at := from; at <= to+step; at += step {
		runBrisk(t, scenarios.RunOptions{Seed: 1}, fault.Fault{Kind: fault.PowerCut, At: at - warmup,
			For: 300 * time.Millisecond, Machines: []string{fault.All}})
	}
}

// TestStoreIsPausedAtEveryInstantOfACommit pauses the store alone at every instant of one commit, for
// longer than a ring waits for a member: the ring continues, the store resumes in the middle of its
// transaction after others have committed, and must not answer from its outdated transaction.
func TestStoreIsPausedAtEveryInstantOfACommit(t *testing.T) {
	from, to := commitWindow(t, 2, 8)
	step := (to - from) / time.Duration(thorough.Count(5, 40))
	warmup := 2 * time.Second
	for at := from; at <= to+step; at += step {
		run := runBrisk(t, scenarios.RunOptions{Seed: 1}, fault.Fault{Kind: fault.Pause, At: at - warmup,
			For: 900 * time.Millisecond, Machines: []string{"n3"}, Process: store.Process})
		require.Len(t, run.Applied, 1, fmt.Sprint(at))
	}
}
