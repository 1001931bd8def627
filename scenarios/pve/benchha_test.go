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

// BenchmarkVirtualDayHA reports how much processor time a day of a cluster of five nodes with fifty
// services and a failure every hour takes, checks included. It simulates two hours of the day and
// reckons up, unless HOLDFAST_WHOLE_DAY is set.
func BenchmarkVirtualDayHA(b *testing.B) {
	const file = "testdata/ha-day.yaml"
	data, err := os.ReadFile(file)
	require.NoError(b, err)
	s, subject, err := scenarios.Parse(file, data, kinds)
	require.NoError(b, err)
	if os.Getenv("HOLDFAST_WHOLE_DAY") == "" {
		s.Duration = 2 * time.Hour
	}
	var passed time.Duration
	var steps uint64
	seed := uint64(0)
	before := cpuTime(b)
	for b.Loop() {
		seed++
		run, err := sim.Runner{}.Run(context.Background(), s, subject,
			scenarios.RunOptions{Seed: seed, Records: func(scenarios.Stamped) {}})
		require.NoError(b, err)
		require.Equal(b, linearizability.Valid, run.Verdict())
		passed += run.Duration
		steps += run.Steps
	}
	used := cpuTime(b) - before
	b.ReportMetric(used.Seconds()/(passed.Hours()/24), "core-s/virtual-day")
	b.ReportMetric(float64(steps)/used.Seconds(), "steps/core-s")
}
