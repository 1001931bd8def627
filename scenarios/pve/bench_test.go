//go:build unix

package pve_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

// BenchmarkStandard reports how many runs of the yardstick one core does in an hour, checks
// included.
func BenchmarkStandard(b *testing.B) {
	s, subject := load(b, "standard")
	var steps uint64
	seed := uint64(0)
	sim.TuneCollector() // as holdfast does
	before := cpuTime(b)
	for b.Loop() {
		seed++
		run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: seed})
		require.NoError(b, err)
		require.Equal(b, linearizability.Valid, run.Verdict())
		steps += run.Steps
	}
	used := cpuTime(b) - before
	b.ReportMetric(float64(b.N)/used.Hours(), "runs/core-h")
	b.ReportMetric(float64(steps)/used.Seconds(), "steps/core-s")
}

// BenchmarkIdle reports how many virtual seconds of an idle cluster of three nodes, with default
// timers and sealed packets, pass in one second.
func BenchmarkIdle(b *testing.B) {
	const virtual = 10 * time.Minute
	s := &scenarios.Scenario{Name: "idle", Machines: scenarios.Count(3), Duration: virtual,
		Subject: scenarios.SubjectSpec{Kind: pve.Kind}}
	s.SetDefaults()
	s.Workload.Operations = 1
	subject, err := pve.Decode(s)
	require.NoError(b, err)
	var passed time.Duration
	sim.TuneCollector() // as holdfast does
	before := cpuTime(b)
	for b.Loop() {
		run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 1})
		require.NoError(b, err)
		require.Equal(b, linearizability.Valid, run.Verdict())
		passed += run.Duration
	}
	b.ReportMetric(passed.Seconds()/(cpuTime(b)-before).Seconds(), "virtual-s/core-s")
}

// cpuTime is what this process has used of all cores: unlike the time on the wall it does not
// depend on what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
