package pve_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fenceagents"
	"github.com/holdfast-sim/holdfast/sim"
)

// packageAgents returns the agents of the package fence-agents, and which of them can prove something.
func packageAgents(t *testing.T) map[string]bool {
	data, err := os.ReadFile("../../engine/fence/testdata/agents.txt")
	require.NoError(t, err)
	out := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		agent, result, _ := strings.Cut(line, " ")
		out[agent] = strings.HasPrefix(result, "can prove")
	}
	return out
}

// TestNothingRunsTwiceWithAnyAgent cuts a machine off whose device has each agent of the package in turn.
// The run is valid with all of them, and the agents that prove nothing have confirmed nothing.
func TestNothingRunsTwiceWithAnyAgent(t *testing.T) {
	agents := []string{"fence_apc", "fence_scsi"}
	proves := packageAgents(t)
	if thorough.On() {
		agents = nil
		for agent := range proves {
			agents = append(agents, agent)
		}
		slices.Sort(agents)
	}
	data, err := library.Get("ha-fence-switch-port")
	require.NoError(t, err)
	text := strings.Replace(string(data), "expect: {probes: [fence/failed]}\n", "", 1)
	require.NotEqual(t, string(data), text)
	for _, agent := range agents {
		t.Run(agent, func(t *testing.T) {
			s, subject, err := scenarios.Parse("agent.yaml", []byte(strings.ReplaceAll(text,
				"fence_ifmib", agent)), kinds)
			require.NoError(t, err)
			run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 1})
			require.NoError(t, err)
			for _, v := range run.Verdicts {
				require.Equal(t, linearizability.Valid, v.Validity, "%s: %s", v.Checker, v.Summary)
			}
			confirmed := slices.ContainsFunc(run.Records, func(r scenarios.Stamped) bool {
				ended, is := r.Record.(fence.Ended)
				return is && ended.OK
			})
			require.Equal(t, proves[agent], confirmed)
		})
	}
}

// TestKindsOfAgentsAreThoseOfThePackage: an agent that is not of the kind power proves nothing there as well.
func TestKindsOfAgentsAreThoseOfThePackage(t *testing.T) {
	proves := packageAgents(t)
	for _, agent := range fenceagents.NotPower() {
		canProve, known := proves[agent]
		require.True(t, known, agent)
		require.False(t, canProve, agent)
	}
}
