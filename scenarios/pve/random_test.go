package pve_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/sim"
)

type tame struct{}

func (tame) Choose(uint64) uint64 { return 0 }

// TestRandomClustersAreSound: whatever is drawn can be run and written down, and it stays within
// what was asked for. Everything that can come does come.
func TestRandomClustersAreSound(t *testing.T) {
	s, subject := load(t, "ha-storm")
	sizes, services, verbs := map[int]bool{}, map[int]bool{}, map[string]bool{}
	for seed := range uint64(thorough.Count(80, 400)) {
		varied, of, err := scenarios.Vary(s, subject, draw.Derive(seed))
		require.NoError(t, err, "seed %d", seed)
		require.NoError(t, varied.Validate(), "seed %d", seed)
		spec := varied.Subject.Value.(pve.Spec).HA
		require.Nil(t, spec.Random)
		require.LessOrEqual(t, len(spec.Services), 20)
		sizes[len(varied.Machines)], services[len(spec.Services)] = true, true
		for _, c := range spec.Commands {
			var verb string
			_, err := fmt.Sscan(c.Run, &verb)
			require.NoError(t, err)
			verbs[verb] = true
		}
		data, err := scenarios.Marshal(varied)
		require.NoError(t, err)
		again, same, err := scenarios.Parse("again.yaml", data, kinds)
		require.NoError(t, err, "seed %d:\n%s", seed, data)
		require.Equal(t, varied.Machines, again.Machines)
		require.Equal(t, of.(*pve.Subject).NodeNames(), same.(*pve.Subject).NodeNames())
	}
	require.Len(t, sizes, 5, "3 to 7 machines")
	require.Greater(t, len(services), 15)
	require.Len(t, verbs, 10, "%v", verbs)
}

// TestTheTamestRandomCluster is the smallest one, and its operator does nothing.
func TestTheTamestRandomCluster(t *testing.T) {
	s, subject := load(t, "ha-storm")
	varied, _, err := scenarios.Vary(s, subject, func(string, string) draw.Chooser { return tame{} })
	require.NoError(t, err)
	spec := varied.Subject.Value.(pve.Spec).HA
	require.Len(t, varied.Machines, 3)
	require.Equal(t, map[string]string{"vm:100": "n1"}, spec.Services)
	require.Empty(t, spec.Rules)
	require.Empty(t, spec.Commands)
}

// TestARandomClusterRunsAgainFromItsFolder: what a run wrote down gives the same run with its seed.
func TestARandomClusterRunsAgainFromItsFolder(t *testing.T) {
	s, subject := load(t, "ha-storm")
	short := *s
	short.Duration, short.Quiescence = 100*time.Second, 40*time.Second
	o := scenarios.RunOptions{Seed: 7}
	first, err := sim.Runner{}.Run(t.Context(), &short, subject, o)
	require.NoError(t, err)
	data, err := scenarios.Marshal(first.Scenario)
	require.NoError(t, err)
	again, of, err := scenarios.Parse("again.yaml", data, kinds)
	require.NoError(t, err)
	second, err := sim.Runner{}.Run(t.Context(), again, of, o)
	require.NoError(t, err)
	require.Equal(t, first.Digest, second.Digest)
}

// TestWrongRandomIsRefused with the place in the scenario.
func TestWrongRandomIsRefused(t *testing.T) {
	spec := pve.Spec{HA: &haspec.Spec{Random: &haspec.Random{ServicesMax: 1, MachinesMin: 2}}}
	s := scenarios.New("wrong").Story("s").Machines(5).Duration(time.Minute).Subject(pve.Kind, spec).
		At(time.Second).PowerCut("n1").For(time.Second).MustBuild()
	_, err := pve.Decode(s)
	require.ErrorContains(t, err, "subject.ha: random.machines_min: faults, votes and corosync_conf")
}
