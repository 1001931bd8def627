package sim_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis/nemesistest"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestFaultsConform runs the suite that real nodes must pass too. The simulator injects every kind.
func TestFaultsConform(t *testing.T) {
	nemesistest.Run(t, nemesistest.Backend{
		Runner: sim.Runner{},
		Subject: func(t testing.TB, s *scenarios.Scenario) scenarios.Subject {
			subject, err := register.Decode(s)
			require.NoError(t, err)
			return subject
		},
		Unsupported: func(*fault.Fault) string { return "" },
	})
}

// TestBuggifyActsAtItsSites: the rare paths are those that the fault names, they count as its effect and as
// probes, and none is taken before or after.
func TestBuggifyActsAtItsSites(t *testing.T) {
	run := func(sites ...string) *scenarios.Run {
		s := scenarios.New("rare").Story("s").Subject(register.Kind, nil).Machines(3).
			Workload(workload.Spec{Clients: 3, Operations: 300}).Duration(30 * time.Second).
			At(10 * time.Second).Fault(fault.Fault{Kind: fault.Buggify, Sites: sites,
			Machines: []string{"n1"}}).
			For(10 * time.Second).MustBuild()
		subject, err := register.Decode(s)
		require.NoError(t, err)
		out, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 7})
		require.NoError(t, err)
		return out
	}
	for _, sites := range [][]string{{register.SiteNotAsked}, nil,
		{env.SiteLocalFull, register.SiteNotAsked}} {
		out := run(sites...)
		require.NotZero(t, *out.Applied[0].Hits)
		require.EqualValues(t, *out.Applied[0].Hits, out.Probes[register.SiteNotAsked])
		require.InDelta(t, 30, out.Probes[register.SiteNotAsked], 20,
			"a quarter of what a third of the calls send")
	}
	out := run(env.SiteLocalFull)
	require.Zero(t, *out.Applied[0].Hits, "a replica is alone on its machine")
	require.Zero(t, out.Probes[register.SiteNotAsked])
}

// TestATriggeredFaultBeginsWithItsRecord: at the same instant, on the machine that has emitted it.
func TestATriggeredFaultBeginsWithItsRecord(t *testing.T) {
	run := func(build func(*scenarios.FaultTime) *scenarios.ScenarioBuilder) *scenarios.Run {
		s := build(scenarios.New("trigger").Story("s").Subject(register.Kind, nil).Machines(3).
			Duration(20 * time.Second).At(time.Second)).MustBuild()
		subject, err := register.Decode(s)
		require.NoError(t, err)
		out, err := sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{Seed: 7})
		require.NoError(t, err)
		return out
	}
	out := run(func(at *scenarios.FaultTime) *scenarios.ScenarioBuilder {
		return at.Fault(fault.Fault{Kind: fault.PowerCut, Role: fault.RoleTriggering}).
			OnTrigger("register-stored", 3).For(time.Second)
	})
	require.Len(t, out.Applied, 1)
	stored := 0
	for _, r := range out.Records {
		if _, is := r.Record.(register.Stored); !is || r.At < out.Scenario.Warmup+time.Second {
			continue
		}
		if stored++; stored == 3 {
			require.Equal(t, r.At, out.Applied[0].Begun[0])
			require.Equal(t, []string{out.Scenario.Machines[r.Machine]}, out.Applied[0].Fault.Machines)
		}
	}
	require.Greater(t, stored, 3)
	out = run(func(at *scenarios.FaultTime) *scenarios.ScenarioBuilder {
		return at.PowerCut("n1").OnTrigger("register-stored", 1000).For(time.Second)
	})
	require.Empty(t, out.Applied)
	require.Len(t, out.Untriggered, 1)
	require.Equal(t, linearizability.Unknown, out.Verdict(), "it shows nothing about faults")
}
