package sim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim"
)

// ticking sets a timer of 40 ms again and again, one of 150 ms or more that never expires, and once one of an
// hour. It answers every request with nothing, which is right for a register that is only read.
type ticking struct{ env env.Env }

func (p *ticking) Start(e env.Env) error {
	p.env = e
	e.SetTimer(1, time.Hour)
	e.SetTimer(2, 40*time.Millisecond)
	return nil
}

func (p *ticking) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.TimerFired:
		p.env.SetTimer(2, 40*time.Millisecond)
		draw := time.Duration(p.env.Rand("timer").Uint64() % 100)
		p.env.SetTimer(3, (150+draw)*time.Millisecond)
	case env.Invoked:
		p.env.SetTimer(4, time.Microsecond)
		p.env.Complete(ev.Op, nil)
	}
}

func tickingSubject(shortest, longest time.Duration) scenarios.Subject {
	return scenarios.Define(scenarios.Definition{Kind: "ticking", Model: models.Register,
		ShortestTimer: shortest, LongestTimer: longest,
		Processes: scenarios.OnEveryMachine("main", func() env.Process { return &ticking{} }),
		Functions: []workload.Weight{{F: workload.Read, Weight: 1}},
		Encode:    func(workload.Op) (string, []byte) { return "main", nil },
		Decode:    func(workload.Op, []byte) (workload.Result, error) { return workload.OK(), nil },
	})
}

// TestTimersAreMeasured: a nemesis without times gets them from the timers that the processes set again and
// again. They are in the run's scenario, and a run of that one is the same run.
func TestTimersAreMeasured(t *testing.T) {
	s := scenarios.New("x").Story("Anything.").Machines(3).Warmup(2*time.Second).Duration(30*time.Second).
		Quiescence(3*time.Second).Nemesis(scenarios.Nemesis{}).Subject("ticking", nil).MustBuild()
	run := func(s *scenarios.Scenario, subject scenarios.Subject) *scenarios.Run {
		r, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 7})
		require.NoError(t, err)
		return r
	}
	first := run(s, tickingSubject(0, 0))
	n := first.Scenario.Nemesis
	require.Equal(t, 20*time.Millisecond, n.ForMin)
	require.Greater(t, n.Every, 240*time.Millisecond)
	require.Less(t, n.Every, 250*time.Millisecond)
	require.Greater(t, len(first.Applied), 50, "up to three at a time")
	require.Zero(t, s.Nemesis.Every)
	require.Equal(t, first.Digest, run(s, tickingSubject(0, 0)).Digest)
	require.Equal(t, first.Digest, run(first.Scenario, tickingSubject(0, 0)).Digest)
	stated := run(s, tickingSubject(n.ForMin*2, n.Every))
	require.Equal(t, n, stated.Scenario.Nemesis)
	require.Equal(t, first.Digest, stated.Digest)
}
