package junit_test

import (
	"bytes"
	"encoding/xml"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/reports/junit"
)

func write(t testing.TB, outcomes []campaign.Outcome) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, junit.Write(&out, "keeper", outcomes))
	return out.String()
}

func TestWrite(t *testing.T) {
	require.Equal(t, `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="keeper" tests="3" failures="1" errors="1" time="1.520">
  <testsuite name="pair-cut" tests="3" failures="1" errors="1" time="1.520">
    <testcase name="seed 1" classname="pair-cut" time="0.020"></testcase>
    <testcase name="seed 2" classname="pair-cut" file="pair-cut.yaml" time="1.500">
      <properties>
        <property name="sim.seed" value="2"></property>
        <property name="sim.digest" value="abc"></property>
        <property name="sim.scenario" value="pair-cut"></property>
      </properties>
      <failure message="store: a &lt;write&gt; is missing" type="invalid">invalid store: a &lt;write&gt; is missing&#xA;run folder: runs/pair-cut/2&#xA;reproduce: holdfast run pair-cut.yaml --seed 2&#xA;</failure>
    </testcase>
    <testcase name="seed 3" classname="pair-cut" time="0.000">
      <properties>
        <property name="sim.seed" value="3"></property>
        <property name="sim.digest" value=""></property>
        <property name="sim.scenario" value="pair-cut"></property>
      </properties>
      <error message="out of \x00 memory" type="unknown"></error>
    </testcase>
  </testsuite>
</testsuites>
`, write(t, []campaign.Outcome{
		{Scenario: "pair-cut", Seed: 1, Verdict: linearizability.Valid, Took: 20 * time.Millisecond},
		{Scenario: "pair-cut", Seed: 2, Verdict: linearizability.Invalid, Took: 1500 * time.Millisecond,
			File: "pair-cut.yaml",
			Checks: []reports.CheckSummary{{Checker: "store", Verdict: linearizability.Invalid,
				Summary: "a <write> is missing"}},
			Digest: "abc", Folder: "runs/pair-cut/2", Reproduce: "holdfast run pair-cut.yaml --seed 2"},
		{Scenario: "pair-cut", Seed: 3, Problem: "out of \x00 memory"},
	}))
}

func TestBounded(t *testing.T) {
	var all []campaign.Outcome
	for seed := range uint64(3000) {
		o := campaign.Outcome{Scenario: "s", Seed: seed, Verdict: linearizability.Valid}
		if seed%3 == 0 {
			o.Verdict = linearizability.Invalid
		}
		all = append(all, o)
	}
	var back struct {
		Suites []struct {
			Tests    int        `xml:"tests,attr"`
			Failures int        `xml:"failures,attr"`
			Cases    []struct{} `xml:"testcase"`
			Out      string     `xml:"system-out"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal([]byte(write(t, all)), &back))
	require.Len(t, back.Suites, 1)
	s := back.Suites[0]
	require.Equal(t, [...]int{3000, 1000, junit.MaxPassed + junit.MaxFailed},
		[...]int{s.Tests, s.Failures, len(s.Cases)})
	require.Equal(t, "and 1800 more runs that are not listed here", s.Out)
}

func FuzzWrite(f *testing.F) {
	f.Add("pair-cut", "store", "lost\n]]><x>", "\x00\xff\u202e")
	f.Fuzz(func(t *testing.T, scenario, checker, summary, command string) {
		out := write(t, []campaign.Outcome{{Scenario: scenario, Verdict: linearizability.Invalid,
			Reproduce: command, File: command,
			Checks: []reports.CheckSummary{{Checker: checker, Verdict: linearizability.Invalid,
				Summary: summary}}}})
		var back struct {
			Tests int `xml:"tests,attr"`
		}
		require.NoError(t, xml.Unmarshal([]byte(out), &back))
		require.Equal(t, 1, back.Tests)
	})
}
