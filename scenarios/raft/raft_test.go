package raft_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/raft"
	"github.com/holdfast-sim/holdfast/sim"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

var kinds = scenarios.Kinds{raft.Kind: raft.Decode}

func storm(t *testing.T) (*scenarios.Scenario, scenarios.Subject) {
	t.Helper()
	s, subject, err := scenarios.Load(library.Files(), "raft-storm.yaml", kinds)
	require.NoError(t, err)
	return s, subject
}

func TestStorm(t *testing.T) {
	s, subject := storm(t)
	simtest.Run(t, s, subject, simtest.Seeds(uint64(thorough.Count(10, 500))))
}

// TestStrategiesFindEveryBug: seed by seed with every strategy, as a campaign runs them, until a run is
// invalid. The correct program is valid in the runs that find a bug.
func TestStrategiesFindEveryBug(t *testing.T) {
	thorough.Only(t, "a minute of processor time")
	s, _ := storm(t)
	verdict := func(bug raft.Bug, strategy string, seed uint64) linearizability.Validity {
		changed, subject, err := explore.Apply(strategy, s, raft.NewSubject(3, bug), seed)
		require.NoError(t, err)
		r, err := sim.Runner{}.Run(t.Context(), changed, subject, scenarios.RunOptions{Seed: seed})
		require.NoError(t, err)
		return r.Verdict()
	}
	for _, bug := range raft.Bugs() {
		t.Run(string(bug), func(t *testing.T) {
			runs := 0
			for seed := uint64(1); seed <= 400; seed++ {
				for _, strategy := range explore.Names() {
					runs++
					if verdict(bug, strategy, seed) == linearizability.Invalid {
						t.Logf("strategy %s, seed %d, after %d runs", strategy, seed, runs)
						require.Equal(t, linearizability.Valid, verdict(raft.BugNone, strategy, seed))
						return
					}
				}
			}
			t.Error("not found")
		})
	}
}

func TestAnyNumberOfMachines(t *testing.T) {
	s, _ := storm(t)
	for _, machines := range []int{1, 2, 4, 5} {
		of := *s
		of.Machines = scenarios.Count(machines)
		if machines == 1 {
			n := *s.Nemesis
			n.Kinds = n.Kinds[4:] // the others need two machines
			of.Nemesis = &n
		}
		require.NoError(t, of.Validate())
		simtest.One(t, &of, raft.NewSubject(machines, raft.BugNone), 1)
	}
}

func TestUnknownBug(t *testing.T) {
	_, _, err := scenarios.Parse("f.yaml", []byte("name: x\nstory: A Raft.\nmachines: 3\nduration: 10s\n"+
		"subject: {kind: raft, bug: stale-truncat}\n"), kinds)
	require.ErrorContains(t, err, "f.yaml:5:28: subject.bug")
	require.ErrorContains(t, err, "stale-truncate")
}
