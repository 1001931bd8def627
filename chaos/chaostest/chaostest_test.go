package chaostest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// TestCommandToRunAgain: without CHAOS_NODES=1 the command would skip the test and pass.
func TestCommandToRunAgain(t *testing.T) {
	require.Equal(t, "To run again, as root: CHAOS_NODES=1 go test "+
		"github.com/holdfast-sim/holdfast/chaos/chaostest"+
		" -run '^TestCommandToRunAgain$' -chaos.seed=7", again(t, 7))
	t.Run("part", func(t *testing.T) {
		require.Contains(t, again(t, 7), "-run '^TestCommandToRunAgain$/^part$'")
	})
}

func TestNeedSkipsUnlessAskedFor(t *testing.T) {
	t.Setenv(Nodes, "")
	passed := t.Run("nodes", func(t *testing.T) {
		Need(t)
		t.Error("not skipped")
	})
	require.True(t, passed)
}

func TestDescribe(t *testing.T) {
	run := &scenarios.Run{Scenario: &scenarios.Scenario{Name: "pause"}, Seed: 3,
		Verdicts: []linearizability.Verdict{
			{Checker: "register", Validity: linearizability.Invalid, Summary: "stale read",
				Details: []string{"read r1"}},
			{Checker: "nodes", Validity: linearizability.Valid, Summary: "on time",
				Details: []string{"left out"}},
		}}
	require.Equal(t, "scenario pause, seed 3, on real nodes: invalid, expected valid\n"+
		"  register: invalid: stale read\n    read r1\n  nodes: valid: on time", Describe(run, "valid"))
}

func TestSeedFromEnvironment(t *testing.T) {
	for text, want := range map[string]uint64{"": 1, "x": 1, "12": 12, "0x10": 16} {
		t.Setenv("CHAOS_SEED", text)
		require.Equal(t, want, seedFromEnvironment())
	}
}
