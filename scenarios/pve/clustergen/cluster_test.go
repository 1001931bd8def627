package clustergen_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve/clustergen"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

var scenario = clustergen.Scenario{Machines: []string{"n1", "n2", "n3", "n4", "n5"},
	Duration: 10 * time.Minute}

// seeded draws from one stream, whatever the label.
type seeded struct{ *rand.Rand }

func (s seeded) Choose(n uint64) uint64 { return s.Uint64N(n) }

func drawn(r *haspec.Random, seed uint64) ([]string, *haspec.Spec) {
	s := seeded{rand.New(rand.NewPCG(seed, 0))}
	return clustergen.Draw(&haspec.Spec{Random: r, RecoverWithin: time.Hour}, scenario,
		func(stream, _ string) draw.Chooser {
			if stream != clustergen.Stream {
				panic("another stream: " + stream)
			}
			return s
		})
}

// TestEveryDrawnClusterCanRun and stays within its bounds; everything that can be drawn is drawn.
func TestEveryDrawnClusterCanRun(t *testing.T) {
	r := &haspec.Random{MachinesMin: 3, ServicesMax: 8, RulesMax: 4, CommandEvery: 20 * time.Second}
	sizes, services, rules, verbs := map[int]bool{}, map[int]bool{}, map[int]bool{}, map[string]bool{}
	for seed := range uint64(300) {
		machines, spec := drawn(r, seed)
		require.NoError(t, spec.Check(machines, machines), "seed %d", seed)
		require.Nil(t, spec.Random)
		require.Equal(t, time.Hour, spec.RecoverWithin)
		require.Equal(t, scenario.Machines[:len(machines)], machines)
		rulesOf, _, err := config.ParseRules(spec.Rules)
		require.NoError(t, err)
		sizes[len(machines)], services[len(spec.Services)], rules[len(rulesOf)] = true, true, true
		last := time.Duration(0)
		for _, c := range spec.Commands {
			require.GreaterOrEqual(t, c.At, last, "in the order of time")
			require.LessOrEqual(t, c.At, scenario.Duration+25*time.Second)
			last = min(c.At, scenario.Duration)
			p := c.Parsed()
			verbs[string(p.Verb)+string(p.CRM.Verb)] = true
		}
	}
	require.Len(t, sizes, 3, "3 to 5 machines")
	require.Len(t, services, 8, "1 to 8 services")
	require.Len(t, rules, 5, "0 to 4 rules")
	require.Len(t, verbs, 10, "%v", verbs)
}

// TestASeedIsACluster: the same draws give the same section.
func TestASeedIsACluster(t *testing.T) {
	r := &haspec.Random{ServicesMax: 5, RulesMax: 3, CommandEvery: time.Minute}
	machines, spec := drawn(r, 7)
	require.Len(t, machines, 5, "all machines, unless fewer are allowed")
	_, again := drawn(r, 7)
	require.Equal(t, spec, again)
	_, other := drawn(r, 8)
	require.NotEqual(t, spec, other)
}

// tame always draws 0.
type tame struct{}

func (tame) Choose(uint64) uint64 { return 0 }

// TestZeroDrawsAreTheTamestCluster, so that shrinking a run's draws leads to less.
func TestZeroDrawsAreTheTamestCluster(t *testing.T) {
	r := &haspec.Random{MachinesMin: 2, ServicesMax: 8, RulesMax: 4, CommandEvery: 20 * time.Second}
	machines, spec := clustergen.Draw(&haspec.Spec{Random: r}, scenario,
		func(string, string) draw.Chooser { return tame{} })
	require.Equal(t, []string{"n1", "n2"}, machines)
	require.Equal(t, map[string]string{"vm:100": "n1"}, spec.Services)
	require.Empty(t, spec.Rules+spec.Datacenter)
	require.Empty(t, spec.Commands)
}

// TestNodesLeaveMaintenanceAfterTheFaults: after the faults every node leaves maintenance, and the manager is
// armed.
func TestNodesLeaveMaintenanceAfterTheFaults(t *testing.T) {
	r := &haspec.Random{ServicesMax: 1, CommandEvery: 5 * time.Second}
	machines, spec := drawn(r, 1)
	ends := map[string]int{}
	for _, c := range spec.Commands {
		if c.At >= scenario.Duration {
			ends[string(c.Parsed().CRM.Verb)]++
		}
	}
	require.Equal(t, len(machines), ends[string(ha.CommandArm)], "on every machine")
	require.NotZero(t, ends[string(ha.CommandDisableMaintenance)])
	require.Zero(t, ends[string(ha.CommandDisableMaintenance)]%len(machines))
}

func TestWhatCannotBeDrawnIsRefused(t *testing.T) {
	named := scenario
	named.Named = true
	for want, c := range map[string]struct {
		spec haspec.Spec
		in   clustergen.Scenario
	}{
		"random: services, rules and commands are drawn; leave them out": {
			haspec.Spec{Services: map[string]string{"vm:1": "n1"}, Random: &haspec.Random{ServicesMax: 3}},
			scenario},
		"random.services_max: 0 is out of range; write 1 to 200": {haspec.Spec{Random: &haspec.Random{}},
			scenario},
		"random.machines_min: 9 is out of range; write 1 to 5": {
			haspec.Spec{Random: &haspec.Random{ServicesMax: 1, MachinesMin: 9}}, scenario},
		"random.rules_max: -1 is out of range; write 0 to 40": {
			haspec.Spec{Random: &haspec.Random{ServicesMax: 1, RulesMax: -1}}, scenario},
		"random.command_every: 1µs is out of range; write at least 600ms": {
			haspec.Spec{Random: &haspec.Random{ServicesMax: 1, CommandEvery: time.Microsecond}}, scenario},
		"name machines that may not be drawn": {
			haspec.Spec{Random: &haspec.Random{ServicesMax: 1, MachinesMin: 2}}, named},
	} {
		require.ErrorContains(t, clustergen.Check(&c.spec, c.in), want)
	}
	require.NoError(t, clustergen.Check(&haspec.Spec{Random: &haspec.Random{ServicesMax: 1}}, named))
}
