package scenarios_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func timed(shortest, longest time.Duration) scenarios.Subject {
	d := smallest()
	d.ShortestTimer, d.LongestTimer = shortest, longest
	return scenarios.Define(d)
}

const nemesisFile = "name: x\nstory: Anything.\nmachines: 3\nduration: 60s\nnemesis: {%s}\n" +
	"subject: {kind: %s}\n"

func parseNemesis(t *testing.T, keys string, subject scenarios.Subject) *scenarios.Nemesis {
	t.Helper()
	s, _, err := scenarios.Parse("x.yaml", fmt.Appendf(nil, nemesisFile, keys, subject.Kind()),
		scenarios.KindsOf(subject))
	require.NoError(t, err)
	return s.Nemesis
}

func TestANemesisWithoutKeysIsFull(t *testing.T) {
	n := parseNemesis(t, "", timed(50*time.Millisecond, 300*time.Millisecond))
	require.Equal(t, &scenarios.Nemesis{Every: 300 * time.Millisecond, ForMin: 25 * time.Millisecond,
		ForMax: 3 * time.Second, MostlyShort: true, AtOnce: 3, Kinds: []fault.Kind{fault.Partition, fault.Cut,
			fault.Link, fault.Flap, fault.Kill, fault.Pause, fault.PowerCut, fault.DiskStall, fault.DiskSlow,
			fault.ClockStep, fault.ClockDrift, fault.Slow, fault.Clog, fault.Bandwidth, fault.MTU}}, n)
}

func TestGivenTimesStay(t *testing.T) {
	subject := timed(50*time.Millisecond, 300*time.Millisecond)
	n := parseNemesis(t, "every: 7s, kinds: [kill]", subject)
	require.Equal(t, 7*time.Second, n.Every)
	require.Equal(t, []fault.Kind{fault.Kill}, n.Kinds)
	require.Equal(t, 25*time.Millisecond, n.ForMin)
	n = parseNemesis(t, "for_max: 10ms", subject)
	require.Equal(t, 10*time.Millisecond, n.ForMin)
	require.False(t, n.MostlyShort)
	n = parseNemesis(t, "for_min: 10s", subject)
	require.Equal(t, 10*time.Second, n.ForMax)
}

// TestASubjectWithoutTimersIsMeasuredLater: the times stay open in the scenario; a backend that cannot
// measure draws with the default timers.
func TestASubjectWithoutTimersIsMeasuredLater(t *testing.T) {
	subject := timed(0, 0)
	n := parseNemesis(t, "kinds: [pause]", subject)
	require.Zero(t, n.Every)
	s := scenarios.New("x").Story("Anything.").Machines(3).Duration(time.Minute).
		Nemesis(scenarios.Nemesis{}).Subject(subject.Kind(), nil).MustBuild()
	require.True(t, scenarios.NeedsTimers(s, subject))
	require.False(t, scenarios.NeedsTimers(s, timed(1, 2)))
	lists := func(stream, label string) draw.Chooser { return draw.NewList(1, stream, label) }
	faults := scenarios.Expand(s, nil, lists)
	require.NotEmpty(t, faults)
	require.Equal(t, faults, scenarios.Expand(s.WithTimers(scenarios.DefaultTimers), nil, lists))
	varied, _, err := scenarios.Vary(s, timed(20*time.Millisecond, 40*time.Millisecond), lists)
	require.NoError(t, err)
	require.Equal(t, 40*time.Millisecond, varied.Nemesis.Every)
	require.Zero(t, s.Nemesis.Every, "the scenario itself does not change")
}

// TestMostlyShort: a logarithmic scale, with the bounds kept.
func TestMostlyShort(t *testing.T) {
	s := scenarios.New("x").Story("Anything.").Machines(3).Duration(time.Hour).Subject("toy", nil).
		Nemesis(scenarios.Nemesis{Kinds: []fault.Kind{fault.ClockDrift}, Every: 10 * time.Second, AtOnce: 16,
			ForMin: 10 * time.Millisecond, ForMax: 2 * time.Second, MostlyShort: true}).MustBuild()
	lists := func(stream, label string) draw.Chooser { return draw.NewList(1, stream, label) }
	short := 0
	faults := scenarios.Expand(s, nil, lists)
	for _, f := range faults {
		require.GreaterOrEqual(t, f.For, 10*time.Millisecond)
		require.LessOrEqual(t, f.For, 2*time.Second)
		if f.For < 140*time.Millisecond { // the middle of the scale
			short++
		}
	}
	require.Greater(t, len(faults), 200)
	require.InDelta(t, 0.5, float64(short)/float64(len(faults)), 0.1)
}

func TestImpossibleTimers(t *testing.T) {
	for _, d := range [][2]time.Duration{{2, 1}, {0, 1}, {-1, 1}} {
		require.PanicsWithValue(t, `scenarios: defining subject "smallest": set ShortestTimer and `+
			"LongestTimer, the first one not longer than the other, or neither", func() { timed(d[0], d[1]) })
	}
	require.Equal(t, scenarios.Timers{}, scenarios.TimersOf(struct{ scenarios.Subject }{}))
}
