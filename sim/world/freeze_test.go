package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// ticking is guarded with a process c that notes the time of its machine's clocks every second.
func ticking(mono *[]time.Duration, wall *[]time.Time) cast {
	c := guarded()
	c["c"] = func() *script {
		return &script{start: func(e env.Env) error { e.SetTimer(1, time.Second); return nil },
			step: func(e env.Env, ev env.Event) {
				if _, is := ev.(env.TimerFired); is {
					*mono, *wall = append(*mono, e.Mono()), append(*wall, e.Wall())
					e.SetTimer(1, time.Second)
				}
			}}
	}
	return c
}

// requireEverySecond requires that clocks showed one second from each tick to the next.
func requireEverySecond(t *testing.T, mono []time.Duration, wall []time.Time) {
	t.Helper()
	for i := range mono[1:] {
		require.InDelta(t, time.Second, mono[i+1]-mono[i], float64(time.Millisecond))
		require.InDelta(t, time.Second, wall[i+1].Sub(wall[i]), float64(time.Millisecond))
	}
}

// TestFrozenMachineStandsStill: clocks, timers and the watchdog stop and continue, whatever is due meanwhile.
func TestFrozenMachineStandsStill(t *testing.T) {
	var mono []time.Duration
	var wall []time.Time
	w := build(t, 1, 1, ticking(&mono, &wall))
	m := w.MachineAt(0)
	runFor(t, w, 20*time.Second)
	require.Len(t, mono, 19)
	thaw := inject(t, m, &fault.Fault{Kind: fault.Freeze})
	m.Proc("b").Kill()
	m.Proc("b").Revive() // starts again when the machine does
	runFor(t, w, time.Hour)
	require.True(t, m.On(), "its watchdog stands still")
	require.False(t, m.Proc("b").Up())
	require.Len(t, mono, 19, "nothing runs")
	thaw()
	runFor(t, w, 9*time.Second)
	require.True(t, m.Proc("b").Up())
	require.Len(t, mono, 28)
	requireEverySecond(t, mono, wall)
	runFor(t, w, time.Minute)
	require.True(t, m.On(), "its process pets the watchdog again")
	m.Proc("a").Kill()
	runFor(t, w, 10*time.Second+time.Millisecond)
	require.False(t, m.On(), "the watchdog works")
}

// TestFreezeOfTheWatchdogKeepsItsRest: a freeze adds to the deadline exactly what it lasted.
func TestFreezeOfTheWatchdogKeepsItsRest(t *testing.T) {
	w := build(t, 1, 1, guarded())
	m := w.MachineAt(0)
	runFor(t, w, 20*time.Second)
	m.Proc("a").Kill() // it was fed at most 2 s ago
	runFor(t, w, 5*time.Second)
	thaw := inject(t, m, &fault.Fault{Kind: fault.Freeze})
	runFor(t, w, 100*time.Second)
	thaw()
	runFor(t, w, 2900*time.Millisecond)
	require.True(t, m.On())
	runFor(t, w, 2200*time.Millisecond)
	require.False(t, m.On())
}

func TestPowerEndsAFreeze(t *testing.T) {
	var mono []time.Duration
	var wall []time.Time
	w := build(t, 1, 1, ticking(&mono, &wall))
	m := w.MachineAt(0)
	runFor(t, w, time.Second)
	thaw := inject(t, m, &fault.Fault{Kind: fault.Freeze})
	m.CutPower()
	runFor(t, w, time.Second)
	m.RestorePower()
	runFor(t, w, time.Minute)
	require.InDelta(t, 60, len(mono), 1)
	thaw() // the freeze is over since the power cut
	runFor(t, w, time.Minute)
	require.InDelta(t, 120, len(mono), 1)
	requireEverySecond(t, mono, wall)
}

// TestClockFaultsDuringAFreeze: drift that begins and ends while the machine is frozen changes nothing.
func TestClockFaultsDuringAFreeze(t *testing.T) {
	var mono []time.Duration
	var wall []time.Time
	w := build(t, 1, 1, ticking(&mono, &wall))
	m := w.MachineAt(0)
	runFor(t, w, 10*time.Second)
	thaw := inject(t, m, &fault.Fault{Kind: fault.Freeze})
	end := inject(t, m, &fault.Fault{Kind: fault.ClockDrift, DriftPPM: 50_000})
	runFor(t, w, time.Minute)
	end()
	thaw()
	runFor(t, w, 10*time.Second)
	require.InDelta(t, 20, len(mono), 1)
	requireEverySecond(t, mono, wall)
}

// TestSlowStepsPileUp: a process whose steps take longer than its timer's period gets one step at a time.
func TestSlowStepsPileUp(t *testing.T) {
	steps := 0
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{start: func(e env.Env) error { e.SetTimer(1, time.Millisecond); return nil },
			step: func(e env.Env, _ env.Event) { steps++; e.SetTimer(1, time.Millisecond) }}
	}})
	count := func() int {
		before := steps
		runFor(t, w, time.Second)
		return steps - before
	}
	require.InDelta(t, 1000, count(), 10)
	end := inject(t, w.MachineAt(0), &fault.Fault{Kind: fault.Slow, Latency: 50 * time.Millisecond})
	require.InDelta(t, 20, count(), 2)
	end()
	require.InDelta(t, 1000, count(), 10)
	end = inject(t, w.MachineAt(0), &fault.Fault{Kind: fault.Slow, Process: "a", Times: 10_000})
	require.InDelta(t, 66, count(), 8, "a step takes 1 to 2 µs otherwise")
	end()
	end = inject(t, w.MachineAt(0), &fault.Fault{Kind: fault.Slow, Process: "a", Times: 1})
	require.InDelta(t, 1000, count(), 10)
	end()
}
