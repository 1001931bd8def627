package github_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/reports/github"
)

func failed(seed uint64, v linearizability.Validity, summary string) campaign.Outcome {
	return campaign.Outcome{Scenario: "pair-cut", Seed: seed, Verdict: v, File: "lib/pair-cut.yaml",
		Reproduce: fmt.Sprintf("holdfast run pair-cut --seed %d", seed),
		Checks:    []reports.CheckSummary{{Checker: "store", Verdict: v, Summary: summary}}}
}

func annotations(t testing.TB, list []campaign.Outcome) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, github.Annotations(&out, list))
	return out.String()
}

func TestAnnotations(t *testing.T) {
	require.Equal(t, "::error file=lib/pair-cut.yaml,line=1,title=pair-cut, seed 7%3A invalid::store: "+
		"100%25 lost%0Areproduce: holdfast run pair-cut --seed 7\n"+
		"::warning file=lib/pair-cut.yaml,line=1,title=pair-cut, seed 8%3A unknown::store: no time "+
		"left%0Areproduce: holdfast run pair-cut --seed 8\n",
		strings.ReplaceAll(annotations(t, []campaign.Outcome{
			failed(7, linearizability.Invalid, "100% lost"),
			failed(8, linearizability.Unknown, "no time left"),
			{Scenario: "pair-cut", Seed: 9, Verdict: linearizability.Valid},
		}), "%2C", ","))
}

func TestAnnotationsStayWithinTheLimits(t *testing.T) {
	var list []campaign.Outcome
	for seed := range uint64(40) {
		list = append(list, failed(seed, linearizability.Invalid, "s"),
			failed(seed, linearizability.Unknown, "s"))
	}
	out := annotations(t, list)
	require.Equal(t, github.MaxErrors, strings.Count(out, "::error "))
	require.Equal(t, github.MaxWarnings, strings.Count(out, "::warning "))
	require.Equal(t, 2, strings.Count(out, "and 31 more failing seeds"))
	require.Equal(t, github.MaxErrors, strings.Count(annotations(t, list[:20]), "::error "))
	require.NotContains(t, annotations(t, list[:20]), "more failing seeds")
}

func TestSummary(t *testing.T) {
	s := campaign.New()
	s.Add(failed(7, linearizability.Invalid, "a | b <script> *x*"))
	s.Add(campaign.Outcome{Scenario: "pair-cut", Seed: 8, Verdict: linearizability.Valid})
	s.Expect("pair-cut", []string{"recovery"})
	var out bytes.Buffer
	require.NoError(t, github.Summary(&out, s))
	require.Equal(t, "### ❌ 2 runs, 1 failed\n\n| scenario | seeds | valid | invalid | unknown | failed |\n"+
		"|---|--:|--:|--:|--:|--:|\n"+
		"| pair-cut | 2 | 1 | 1 | 0 | 1 |\n\n"+
		"**pair-cut, seed 7: invalid** store: a \\| b &lt;script&gt; \\*x\\*\n\n```sh\n"+
		"holdfast run pair-cut --seed 7\n```\n"+
		"\npair-cut: probe recovery was never reached\n", out.String())
}

func TestSummaryIsBounded(t *testing.T) {
	s := campaign.New()
	long := strings.Repeat("<&", 3000)
	for i := range 3000 {
		o := failed(1, linearizability.Invalid, long)
		o.Scenario = fmt.Sprintf("%s%d", strings.Repeat("x", 300), i)
		s.Add(o)
	}
	var out bytes.Buffer
	require.NoError(t, github.Summary(&out, s))
	require.LessOrEqual(t, out.Len(), github.MaxSummaryBytes)
	require.Contains(t, out.String(), "more scenarios\n")
	require.Contains(t, out.String(), "more failing seeds; see the run folders\n")
}

// However hostile the texts are, each annotation stays one line and no line is a command of its own.
func FuzzAnnotations(f *testing.F) {
	f.Add("pair-cut", "x\n::set-output name=a::b\r\n::stop-commands::", "a,b:c%0A")
	f.Fuzz(func(t *testing.T, scenario, summary, file string) {
		o := failed(1, linearizability.Invalid, summary)
		o.Scenario, o.File = scenario, file
		out := annotations(t, []campaign.Outcome{o})
		require.Equal(t, 1, strings.Count(out, "\n"))
		require.NotContains(t, out, "\r")
		require.True(t, strings.HasPrefix(out, "::error "))
		s := campaign.New()
		s.Add(o)
		var summaryOut bytes.Buffer
		require.NoError(t, github.Summary(&summaryOut, s))
		require.NotContains(t, strings.ReplaceAll(summaryOut.String(), "```sh", ""), "<")
	})
}
