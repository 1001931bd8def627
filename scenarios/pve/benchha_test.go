//go:build unix

package pve_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim"
)

// haDay is the day of testdata/ha-day.yaml, or the beginning of it.
func haDay(t testing.TB, duration time.Duration) (*scenarios.Scenario, scenarios.Subject) {
	const file = "testdata/ha-day.yaml"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	s, subject, err := scenarios.Parse(file, data, kinds)
	require.NoError(t, err)
	s.Duration = min(s.Duration, duration)
	return s, subject
}

// dropRecord is for runs whose records are not needed after judging.
func dropRecord(scenarios.Stamped) {}

// TestDayBegins runs the first minutes of the day twice, with all records kept and with most of them
// dropped: that makes no difference to what happens and how it is judged.
func TestDayBegins(t *testing.T) {
	s, subject := haDay(t, 4*time.Minute)
	s.Quiescence = time.Minute
	run := func(o scenarios.RunOptions) *scenarios.Run {
		r, err := sim.Runner{}.Run(context.Background(), s, subject, o)
		require.NoError(t, err)
		require.Equal(t, linearizability.Valid, r.Verdict(), "%v", r.Verdicts)
		return r
	}
	taken := 0
	all := run(scenarios.RunOptions{Seed: 1})
	some := run(scenarios.RunOptions{Seed: 1, Records: func(scenarios.Stamped) { taken++ }})
	require.Equal(t, all.Digest, some.Digest)
	require.Equal(t, all.Verdicts, some.Verdicts)
	require.Len(t, all.Records, taken)
	require.Less(t, len(some.Records), taken/2)
	require.Equal(t, subject.Judge().Timeline(all), subject.Judge().Timeline(some))
}

// BenchmarkVirtualDayHA reports how much processor time a day of a cluster of five nodes with fifty
// services and a failure every hour takes, checks included. It simulates two hours of the day and
// reckons up; with HOLDFAST_WHOLE_DAY set it simulates all of it.
func BenchmarkVirtualDayHA(b *testing.B) {
	duration := 2 * time.Hour
	if os.Getenv("HOLDFAST_WHOLE_DAY") != "" {
		duration = 24 * time.Hour
	}
	s, subject := haDay(b, duration)
	var passed time.Duration
	var steps uint64
	seed := uint64(0)
	sim.TuneCollector() // as holdfast does
	before := cpuTime(b)
	for b.Loop() {
		seed++
		run, err := sim.Runner{}.Run(context.Background(), s, subject,
			scenarios.RunOptions{Seed: seed, Records: dropRecord})
		require.NoError(b, err)
		require.Equal(b, linearizability.Valid, run.Verdict())
		passed += run.Duration
		steps += run.Steps
	}
	used := cpuTime(b) - before
	b.ReportMetric(used.Seconds()/(passed.Hours()/24), "core-s/virtual-day")
	b.ReportMetric(float64(steps)/used.Seconds(), "steps/core-s")
}
