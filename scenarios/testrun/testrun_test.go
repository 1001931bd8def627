package testrun

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestPatternMatchesOneTest(t *testing.T) {
	for name, want := range map[string]string{
		"TestA":               "^TestA$",
		"TestA/seed=12":       "^TestA$",
		"TestA/b.c/d(e)":      `^TestA$/^b\.c$/^d\(e\)$`,
		"TestA/seed=1/part":   "^TestA$/^seed=1$/^part$",
		"FuzzA/771e938e4458e": "^FuzzA$/^771e938e4458e$",
	} {
		require.Equal(t, want, Pattern(name))
	}
}

func TestCommandHasPackageTagsAndEnvironment(t *testing.T) {
	info := &debug.BuildInfo{Path: "example.com/m/kv.test",
		Settings: []debug.BuildSetting{{Key: "-tags", Value: "slow,linux"}, {Key: "-race", Value: "true"}}}
	require.Equal(t, []string{"-tags=slow,linux", "example.com/m/kv"}, buildWords(info))
	require.Empty(t, buildWords(nil))
	text := Command("CHAOS_NODES=1", "TestA/it's", "-chaos.seed=3")
	require.Contains(t, text,
		"CHAOS_NODES=1 go test github.com/holdfast-sim/holdfast/scenarios/testrun -run ")
	require.Contains(t, text, `-run '^TestA$/^it'\''s$'`)
	require.Regexp(t, ` -chaos.seed=3$`, text)
}

func TestParseSeeds(t *testing.T) {
	for text, want := range map[string]Seeds{"5": {1, 5}, "3-4": {3, 4}, "0x10-0x10": {16, 16}} {
		got, err := ParseSeeds("sim.seeds", text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "5-3", "-", "x", "1-2-3"} {
		_, err := ParseSeeds("sim.seeds", text)
		require.ErrorContains(t, err, "write a range such as 1-200", text)
	}
}

// event is one event of a history.
func event(kind history.Type) history.Event { return history.Event{Type: kind} }

func TestCounts(t *testing.T) {
	none, some := uint64(0), uint64(4)
	ended := [2]time.Duration{1, 2}
	s := &scenarios.Scenario{Name: "storm"}
	s.Expect.Probes = []string{"election", "snapshot"}
	var c Counts
	for seed := range uint64(20) {
		run := &scenarios.Run{Scenario: s, Seed: seed, Probes: map[string]int{"election": 1, "snapshot": 0},
			Verdicts: []linearizability.Verdict{{Validity: linearizability.Valid}},
			Applied: []scenarios.Applied{{Hits: &none, Ended: ended}, {Hits: &some, Ended: ended},
				{Problem: "no disk"}}}
		for range 60 {
			run.Events = append(run.Events, event(history.Invoke), event(history.OK), event(history.Invoke),
				event(history.Fail), event(history.Invoke), event(history.Info), event(history.Invoke))
		}
		c.Add(run)
	}
	require.Equal(t, "20 seeds valid: 4,800 operations (1,200 ok, 1,200 failed, 2,400 unknown), 40 faults, "+
		"20 without effect", c.String())
	require.EqualError(t, c.MissedProbes(), "scenario storm: none of 20 seeds reached snapshot; run more "+
		"seeds, "+
		"or change the scenario so that it reaches them")
	c.Add(&scenarios.Run{Scenario: s, Probes: map[string]int{"snapshot": 2},
		Verdicts: []linearizability.Verdict{{Validity: linearizability.Invalid}}})
	require.Contains(t, c.String(), "21 seeds, 20 valid, 1 invalid: 4,800 operations")
	require.NoError(t, c.MissedProbes())
}

// FuzzParseSeeds: what is accepted is a range that is not empty, and it can be written and read again.
func FuzzParseSeeds(f *testing.F) {
	for _, text := range []string{"", "5", "3-4", "5-3", "0x10-0x20", "-", "1-2-3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seeds, err := ParseSeeds("sim.seeds", text)
		if err != nil {
			return
		}
		again, err := ParseSeeds("sim.seeds", seeds.String())
		require.NoError(t, err)
		require.Equal(t, seeds, again)
		require.LessOrEqual(t, seeds.First, seeds.Last)
	})
}
