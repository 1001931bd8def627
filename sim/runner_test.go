package sim_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

func rough() *scenarios.Scenario {
	s := &scenarios.Scenario{Name: "register-rough", Machines: scenarios.Count(3),
		Warmup: time.Second, Duration: 30 * time.Second, Quiescence: 10 * time.Second,
		Faults: []fault.Fault{
			{Kind: fault.Partition, At: 2 * time.Second, For: 4 * time.Second,
				Groups: [][]string{{"n1"}, {"n2", "n3"}}},
			{Kind: fault.Link, At: 1 * time.Second, From: []string{"all"}, To: []string{"all"}, Loss: 50_000,
				Duplicate: 20_000, Reorder: 50_000},
			{Kind: fault.PowerCut, At: 8 * time.Second, For: 2 * time.Second, Machines: []string{"n2"}},
			{Kind: fault.Kill, At: 12 * time.Second, For: 2 * time.Second, Machines: []string{"n3"}},
			{Kind: fault.Pause, At: 15 * time.Second, For: 2 * time.Second, Machines: []string{"n1"}},
			{Kind: fault.DiskStall, At: 18 * time.Second, For: 2 * time.Second, Machines: []string{"n1"}},
			{Kind: fault.DiskError, At: 21 * time.Second, For: time.Second, Machines: []string{"n2"},
				Operation: "sync"},
			{Kind: fault.Flap, At: 23 * time.Second, For: 3 * time.Second, From: []string{"n1"},
				To: []string{"n2"}, Up: 200 * time.Millisecond, Down: 300 * time.Millisecond},
			{Kind: fault.ClockDrift, At: 24 * time.Second, For: 3 * time.Second, Machines: []string{"n3"},
				DriftPPM: 50_000},
			{Kind: fault.PowerCut, At: 28 * time.Second, For: time.Second, Machines: []string{"all"}},
		}}
	s.SetDefaults()
	s.Workload.Operations = 400
	s.Workload.Pause = 0
	s.Workload.SetDefaults(s.Duration)
	return s
}

func runRegister(t *testing.T, seed uint64) *scenarios.Run {
	t.Helper()
	s := rough()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	run, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: seed})
	require.NoError(t, err)
	return run
}

func TestRegisterSurvivesRoughSeas(t *testing.T) {
	for seed := range uint64(20) {
		run := runRegister(t, seed)
		for _, v := range run.Verdicts {
			require.Equal(t, linearizability.Valid, v.Validity, "seed %d: %s: %s %v", seed, v.Checker,
				v.Summary, v.Details)
		}
		require.NotEmpty(t, run.Events)
	}
}

func TestSameSeedSameDigest(t *testing.T) {
	first, second, other := runRegister(t, 7), runRegister(t, 7), runRegister(t, 8)
	require.Equal(t, first.Digest, second.Digest)
	require.Equal(t, first.Events, second.Events)
	require.NotEqual(t, first.Digest, other.Digest)
}

// forgetful is a register whose messages depend on something that is not the seed's.
type forgetful struct {
	env.Process
	count *int
}

func (f forgetful) Start(e env.Env) error {
	*f.count++
	return f.Process.Start(uneven{e, *f.count})
}

// uneven is an Env whose third start in the process sends a little later than it was asked to.
type uneven struct {
	env.Env
	count int
}

func (u uneven) Send(to env.MachineID, link env.LinkID, payload []byte) {
	if u.count%7 == 5 {
		payload = append(payload, 0)
	}
	u.Env.Send(to, link, payload)
}

func TestDivergenceIsLocated(t *testing.T) {
	s := rough()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	same, err := sim.Diverge(context.Background(), s, subject, scenarios.RunOptions{Seed: 3})
	require.NoError(t, err)
	require.Nil(t, same)
	count := 0
	subject.(*register.Subject).NewProcess = func(c register.Config) env.Process {
		return forgetful{register.New(c), &count}
	}
	d, err := sim.Diverge(context.Background(), s, subject, scenarios.RunOptions{Seed: 3})
	require.NoError(t, err)
	require.NotNil(t, d)
	require.NotEqual(t, d.First, d.Second)
	require.Contains(t, d.First, "register")
}

// TestAKeptRunHasItsDraws: the folder of a run with replaced draws is enough to make it again.
func TestAKeptRunHasItsDraws(t *testing.T) {
	s := rough()
	s.Story, s.Subject.Kind = "Much goes wrong.", register.Kind
	subject, err := register.Decode(s)
	require.NoError(t, err)
	overrides := []draw.Override{{Stream: "client/c0", Label: "key", Index: 1, Value: 0},
		{Stream: "client/c1", Label: "key", Index: 2, Value: 1},
		{Stream: "client/c2", Label: "key", Index: 3}}
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 3, Overrides: overrides})
	require.NoError(t, err)
	require.NotEqual(t, runRegister(t, 3).Digest, run.Digest, "the draws change the run")
	paths, err := reports.WriteRun(filepath.Join(t.TempDir(), "3"), run)
	require.NoError(t, err)
	saved, err := reports.ReadRun(paths.Dir)
	require.NoError(t, err)
	require.Equal(t, overrides, saved.Run.Overrides)
	again, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: saved.Replay.Seed,
		Overrides: saved.Run.Overrides})
	require.NoError(t, err)
	require.Equal(t, saved.Replay.Digest, again.Digest)
}

func TestFaultOfAnUnknownProcessIsNotRun(t *testing.T) {
	s := scenarios.New("unknown").Story("A process that no machine has is killed.").
		Machines(3).Duration(20*time.Second).
		Subject("register", nil).MustBuild()
	s.Faults = append(s.Faults, fault.Fault{Kind: fault.Kill, At: time.Second, For: time.Second,
		Machines: []string{fault.All}, Process: "unknown"})
	subject, err := register.Decode(s)
	require.NoError(t, err)
	_, err = sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 1})
	require.ErrorContains(t, err, `faults[0].process: n1 has no process "unknown"; write one of register`)
}
