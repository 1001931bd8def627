package pve_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/sim"
)

// drawnWords collects what scenarios that draw everything have drawn, by topic.
type drawnWords map[string]map[string]bool

func (w drawnWords) add(topic string, words ...string) {
	if w[topic] == nil {
		w[topic] = map[string]bool{}
	}
	for _, word := range words {
		w[topic][word] = true
	}
}

func (w drawnWords) addHA(h *haspec.Spec) {
	for _, c := range h.Commands {
		verb, _, _ := strings.Cut(c.Run, " ")
		w.add("command", verb)
	}
	for _, f := range h.FenceFaults {
		w.add("device fault", f.Kind)
	}
	for line := range strings.Lines(h.Fence) {
		if words := strings.Fields(line); words[0] == "device" {
			w.add("device", words[1])
		}
	}
	for line := range strings.Lines(h.Datacenter) {
		key, _, _ := strings.Cut(line, ":")
		w.add("setting", key)
	}
	w.add("request clients", map[bool]string{true: "some", false: "none"}[h.Operations != nil])
	w.add("groups", map[bool]string{true: "some", false: "none"}[h.Groups != ""])
}

// TestEverythingCanBeDrawn: whatever is drawn can be run and written down, it stays within what the scenario
// gives, and everything that can come does come.
func TestEverythingCanBeDrawn(t *testing.T) {
	words := drawnWords{}
	for _, name := range []string{"anything-store", "anything-ha"} {
		s, subject := load(t, name)
		for seed := range uint64(thorough.Count(150, 1000)) {
			varied, _, err := scenarios.Vary(s, subject, draw.Derive(seed))
			require.NoError(t, err, "%s, seed %d", name, seed)
			require.NoError(t, varied.Validate(), "%s, seed %d", name, seed)
			require.LessOrEqual(t, varied.Workload.Operations, s.Workload.Operations)
			require.LessOrEqual(t, varied.Workload.Clients, s.Workload.Clients)
			require.Subset(t, s.Machines, varied.Machines)
			require.Subset(t, s.Nemesis.Kinds, varied.Nemesis.Kinds)
			for _, k := range varied.Nemesis.Kinds {
				words.add("fault", string(k))
				require.False(t, varied.Nemesis.BeyondSurvival && (&fault.Fault{Kind: k}).LosesData())
			}
			for f := range varied.Workload.Mix {
				words.add("operation", f)
			}
			if h := varied.Subject.Value.(pve.Spec).HA; h != nil {
				words.addHA(h)
			}
			data, err := scenarios.Marshal(varied)
			require.NoError(t, err)
			again, _, err := scenarios.Parse("again.yaml", data, kinds)
			require.NoError(t, err, "%s, seed %d:\n%s", name, seed, data)
			require.Equal(t, varied.Machines, again.Machines)
		}
	}
	for topic, count := range map[string]int{"command": 23, "device fault": 7, "device": 7, "setting": 4,
		"request clients": 2, "groups": 2, "fault": 27, "operation": 10} {
		require.Len(t, words[topic], count, "%s: %v", topic, words[topic])
	}
}

// TestTheTamestOfEverything is the smallest cluster, to which hardly anything happens.
func TestTheTamestOfEverything(t *testing.T) {
	s, subject := load(t, "anything-ha")
	varied, _, err := scenarios.Vary(s, subject, func(string, string) draw.Chooser { return tame{} })
	require.NoError(t, err)
	spec := varied.Subject.Value.(pve.Spec)
	require.Len(t, varied.Machines, 2)
	require.Equal(t, map[string]string{"vm:100": "n1"}, spec.HA.Services)
	require.Empty(t, spec.HA.Rules+spec.HA.Groups+spec.HA.Fence+spec.HA.Datacenter)
	require.Empty(t, spec.HA.Commands)
	require.Empty(t, spec.Votes)
	require.Equal(t, 1, varied.Workload.Clients)
	require.Len(t, varied.Nemesis.Kinds, 1)
	require.Equal(t, 1, varied.Nemesis.AtOnce)
}

// TestEverythingRunsAgainFromItsFolder: what a run wrote down gives the same run with its seed, also where a
// strategy has changed it and fence devices fail.
func TestEverythingRunsAgainFromItsFolder(t *testing.T) {
	for _, strategy := range []string{"shift", explore.Plain}[:thorough.Count(1, 2)] {
		s, subject := load(t, "anything-ha")
		seed := seedWithDeviceFaults(t)
		s, subject, err := explore.Apply(strategy, s, subject, seed)
		require.NoError(t, err)
		o := scenarios.RunOptions{Seed: seed}
		first, err := sim.Runner{}.Run(t.Context(), s, subject, o)
		require.NoError(t, err)
		require.Equal(t, linearizability.Valid, first.Verdict())
		data, err := scenarios.Marshal(first.Scenario)
		require.NoError(t, err)
		again, of, err := scenarios.Parse("again.yaml", data, kinds)
		require.NoError(t, err)
		second, err := sim.Runner{}.Run(t.Context(), again, of, o)
		require.NoError(t, err)
		require.Equal(t, first.Digest, second.Digest, strategy)
	}
}

// seedWithDeviceFaults returns the first seed whose fence devices fail.
func seedWithDeviceFaults(t *testing.T) uint64 {
	s, subject := load(t, "anything-ha")
	for seed := range uint64(100) {
		varied, _, err := scenarios.Vary(s, subject, draw.Derive(seed))
		require.NoError(t, err)
		if len(varied.Subject.Value.(pve.Spec).HA.FenceFaults) > 0 {
			return seed
		}
	}
	t.Fatal("no seed has faults of fence devices")
	return 0
}

// TestWrongEverythingIsRefused with the place in the scenario.
func TestWrongEverythingIsRefused(t *testing.T) {
	const head = "name: wrong\nstory: s\nmachines: 3\nduration: 60s\nsubject:\n  kind: pve\n"
	const storm = "nemesis: {}\n"
	for text, want := range map[string]string{
		head + "  log_keep: 9\n  ha: {services: {\"vm:100\": n1}}\n": "the checks of the HA manager need " +
			"the whole log",
		head + "  log_keep: 9999999\n":         "log_keep: 9999999 is out of range",
		head + "  random: {services_max: 0}\n": "random: the faults are drawn from those of the nemesis",
		storm + head + "  random: {services_max: 0}\nfaults:\n" +
			"  - {kind: kill, at: 1s, for: 1s, machines: [n1]}\n": "random: faults name machines",
		storm + head + "  random: {services_max: 0, machines_min: 4}\n": "random.machines_min: 4 is out " +
			"of range; write 1 to 3",
		storm + head + "  random: {services_max: 201}\n": "random.services_max: 201 is " +
			"out of range",
		storm + head + "  random: {services_max: 1, rules_max: 41}\n": "random.rules_max: 41 is out " +
			"of range",
		storm + head + "  random: {services_max: 0, rules_max: 1}\n": "random: rules and commands " +
			"are for services",
		storm + head + "  random: {services_max: 1, command_every: 1ms}\n": "random.command_every: 1ms is " +
			"out of range",
		storm + head + "  random: {services_max: 0}\n  votes: {n1: 2}\n": "random: the whole cluster is " +
			"drawn; leave the other keys out",
	} {
		_, _, err := scenarios.Parse("wrong.yaml", []byte(text), kinds)
		require.ErrorContains(t, err, want, text)
	}
}

// TestWhichScenariosAreDrawn: a campaign gives more turns to those that differ with the seed.
func TestWhichScenariosAreDrawn(t *testing.T) {
	for name, want := range map[string]bool{"anything-store": true, "anything-ha": true, "ha-storm": true,
		"standard": false, "ha-node-dies": false} {
		s, subject := load(t, name)
		require.Equal(t, want, explore.IsDrawn(s, subject), name)
	}
}
