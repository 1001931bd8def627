package campaign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

func outcome(scenario string, seed uint64, v linearizability.Validity) campaign.Outcome {
	o := campaign.Of(reports.Summary{Scenario: scenario, Seed: seed, Verdict: v, Steps: 100,
		Duration:  time.Minute,
		Probes:    map[string]int{"recovery": 3, "never": 0},
		Reproduce: fmt.Sprintf("holdfast run %s.yaml --seed %d", scenario, seed),
		Checks: []reports.CheckSummary{{Checker: "membership", Verdict: linearizability.Valid,
			Summary: "fine"},
			{Checker: "store", Verdict: v, Summary: "what the store says"}}}, 20*time.Millisecond)
	if v == linearizability.Invalid {
		o.Checks[1].Kind = linearizability.LostWrite
	}
	return o
}

func text(t *testing.T, s *campaign.Summary) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, s.Text(&out, nil))
	return out.String()
}

func TestText(t *testing.T) {
	s := campaign.New()
	for seed := range uint64(8) {
		s.Add(outcome("pair-cut", seed+1, linearizability.Valid))
	}
	for _, seed := range []uint64{9, 7, 8} {
		s.Add(outcome("flapping-link", seed, linearizability.Invalid))
	}
	s.Add(outcome("flapping-link", 3, linearizability.Unknown))
	s.Expect("pair-cut", []string{"recovery", "never"})
	s.Finish(2 * time.Second)
	require.Equal(t, `scenario       seeds  valid  invalid  unknown  failed  probes
flapping-link      4      0        3        1       4       1
pair-cut           8      8        0        0       0       1

pair-cut
  probe never was never reached

invalid  store: lost-write, in 3 of 4 runs of flapping-link
  seed 7: store: what the store says
    holdfast run flapping-link.yaml --seed 7
  after a fix, 3 runs without it show (95 %) that it is gone

unknown  store: what the store says, in 1 of 4 runs of flapping-link
  seed 3: store: what the store says
    holdfast run flapping-link.yaml --seed 3
  after a fix, 11 runs without it show (95 %) that it is gone

12 runs, 4 failed, 2s, 6.0 runs/s
reproduce: holdfast run flapping-link.yaml --seed 7
`, text(t, s))
	require.False(t, s.OK())
}

func TestExpectedVerdicts(t *testing.T) {
	o := outcome("known-loss", 1, linearizability.Invalid)
	require.True(t, o.Failed())
	o.Expected = "invalid"
	require.False(t, o.Failed())
	o.Verdict = linearizability.Valid
	require.True(t, o.Failed(), "a known loss that does not show is worth a look")
	o.Expected, o.Problem = "", "no such machine"
	require.True(t, o.Failed())
	require.Equal(t, "no such machine", o.Why())

	s := campaign.New()
	require.False(t, s.OK(), "nothing was run")
	s.Add(o)
	require.False(t, s.OK())
	require.Equal(t, 1, s.Scenarios[0].Unknown)
}

func TestOKAndRates(t *testing.T) {
	s := campaign.New()
	s.Add(outcome("a", 1, linearizability.Valid))
	require.True(t, s.OK())
	s.Finish(10 * time.Second)
	require.Contains(t, text(t, s), "360 runs/h")
	s.Finish(time.Millisecond)
	require.Contains(t, text(t, s), "1000 runs/s")
	s.Finish(0)
	require.NotContains(t, text(t, s), "runs/")
}

func TestTextIsBoundedAndEscaped(t *testing.T) {
	s := campaign.New()
	for seed := range uint64(500) {
		o := outcome("x\x1b[31m", seed, linearizability.Invalid)
		o.Reproduce += "\n\x1b[2J"
		s.Add(o)
	}
	out := text(t, s)
	require.NotContains(t, out, "\x1b")
	require.Contains(t, out, "in 500 of 500 runs of ")
	require.Less(t, strings.Count(out, "\n"), 20)
	require.Len(t, s.Scenarios[0].Failures, campaign.MaxFailures)
}

// TestGroups: failures of one kind are one group, whatever the seed, the scenario and the strategy, and
// whatever numbers and names their summaries have.
func TestGroups(t *testing.T) {
	unknown := func(seed uint64, strategy, summary string) campaign.Outcome {
		o := outcome("a", seed, linearizability.Unknown)
		o.Strategy, o.Checks[1].Summary = strategy, summary
		return o
	}
	s := campaign.New()
	s.Add(unknown(3, "", "vm:100 did not start on n3 within 240.5 s"))
	s.Add(unknown(2, "swarm", "vm:107 did not start on n1 within 31 s"))
	s.Add(unknown(9, "swarm", "vm:107 was lost"))
	s.Add(outcome("b", 1, linearizability.Invalid))
	other := outcome("b", 2, linearizability.Invalid)
	other.Checks[1].Kind = linearizability.StaleRead
	s.Add(other)
	for seed := range uint64(8) {
		s.Add(outcome("b", 10+seed, linearizability.Valid))
	}
	s.Finish(time.Second)
	require.Len(t, s.Groups, 4)
	var late *campaign.Group
	for _, g := range s.Groups {
		if g.Runs == 2 {
			late = g
		}
	}
	require.NotNil(t, late)
	require.Equal(t, "… did not start on … within … s", late.What)
	require.EqualValues(t, 3, late.First.Seed, "the scenario as it is written comes first")
	require.Equal(t, []campaign.Source{{Scenario: "a", Failed: 1, Runs: 1},
		{Scenario: "a", Strategy: "swarm", Failed: 1, Runs: 2}}, late.Sources)
	require.Equal(t, 1, late.CleanRuns())

	lost := s.Group(campaign.GroupKey{Checker: "store", Verdict: linearizability.Invalid,
		What: string(linearizability.LostWrite)})
	require.Equal(t, 10, lost.Sources[0].Runs)
	require.Equal(t, 29, lost.CleanRuns(), "0.9^29 is the first power below 0.05")

	earlier := campaign.New()
	earlier.Add(outcome("c", 1, linearizability.Invalid))
	gone := outcome("c", 2, linearizability.Invalid)
	gone.Checks[1].Kind = linearizability.Kind("gone-since")
	earlier.Add(gone)
	added, ongoing, resolved := s.Compare(earlier)
	require.Len(t, added, 3)
	require.Len(t, ongoing, 1)
	require.Len(t, resolved, 1)
	require.Equal(t, "gone-since", resolved[0].What)
}

func TestJSON(t *testing.T) {
	s := campaign.New()
	s.Add(outcome("a", 5, linearizability.Invalid))
	var out bytes.Buffer
	require.NoError(t, s.JSON(&out))
	var back campaign.Summary
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Equal(t, campaign.Schema, back.Schema)
	require.Equal(t, linearizability.LostWrite, back.Scenarios[0].Failures[0].Kind)
	require.Equal(t, map[string]int{"recovery": 1}, back.Scenarios[0].Probes)
}

// The order in which workers hand in their runs changes nothing.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "runs")
		var runs []campaign.Outcome
		for i := range n {
			runs = append(runs, outcome(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "scenario"), uint64(i),
				linearizability.Validity(rapid.IntRange(0, 2).Draw(t, "verdict"))))
		}
		sum := func(list []campaign.Outcome) string {
			s := campaign.New()
			s.Expect("a", []string{"recovery"})
			for _, o := range list {
				s.Add(o)
			}
			s.Finish(time.Second)
			var out bytes.Buffer
			require.NoError(t, s.JSON(&out))
			return out.String()
		}
		want := sum(runs)
		require.Equal(t, want, sum(rapid.Permutation(runs).Draw(t, "order")))
	})
}
