package shrink_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// large is a scenario of which little is needed.
const large = `name: large
story: Everything at once.
machines: 5
duration: 300s
workload: {clients: 8, operations: 500, keys: 9, mix: {write: 3, read: 2, list: 1}}
faults:
  - {kind: kill, at: 10s, for: 3.7s, machines: [n4]}
  - {kind: partition, at: 33.333s, for: 40.123s, groups: [[n1, n2], [n3, n4, n5]]}
  - {kind: pause, at: 60s, for: 9s, machines: [n1, n2]}
  - {kind: power-cut, at: 90.4s, for: 17.3s, machines: [n2, n3]}
  - {kind: disk-slow, at: 120s, for: 9s, latency: 2s, machines: [n5]}
  - {kind: kill, at: 200s, for: 9s, machines: [n1]}
subject:
  kind: toy
  services: {a: n1, b: n2, c: n5}
  commands:
    - {at: 5s, run: one}
    - {at: 9s, run: two}
    - {at: 15s, run: three}
`

// predicate is a Trier without runs.
type predicate struct {
	fails    func(s *scenarios.Scenario, seed uint64) bool
	attempts atomic.Int64
}

func (p *predicate) Try(_ context.Context, a shrink.Attempt) (shrink.Result, error) {
	p.attempts.Add(1)
	data, err := scenarios.Marshal(a.Scenario)
	if err != nil {
		return shrink.Result{}, nil
	}
	s, err := scenarios.ParseScenario("large.yaml", data)
	if err != nil {
		return shrink.Result{}, nil
	}
	for _, seed := range a.Seeds {
		if p.fails(s, seed) {
			return shrink.Result{Failed: true, Seed: seed, Operations: s.Workload.Operations,
				Faults: len(s.Faults)}, nil
		}
	}
	return shrink.Result{}, nil
}

func read(t *testing.T, text string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.ParseScenario("large.yaml", []byte(text))
	require.NoError(t, err)
	return s
}

// needs is a bug that takes a partition, a power cut of n2 and seven writes.
func needs(s *scenarios.Scenario, _ uint64) bool {
	has := func(kind fault.Kind, machine string) bool {
		return slices.ContainsFunc(s.Faults, func(f fault.Fault) bool {
			return f.Kind == kind && (machine == "" || slices.Contains(f.Machines, machine))
		})
	}
	return has(fault.Partition, "") && has(fault.PowerCut, "n2") && s.Workload.Operations >= 7 &&
		(len(s.Workload.Mix) == 0 || s.Workload.Mix["write"] > 0) && len(s.Machines) >= 2
}

func TestOnlyWhatIsNeededIsLeft(t *testing.T) {
	for _, parallel := range []int{1, 3} {
		small, err := shrink.Shrink(t.Context(), &predicate{fails: needs}, read(t, large),
			shrink.Options{Seed: 4,
				Property: "store", Functions: []string{"read", "write", "list"}, Parallel: parallel})
		require.NoError(t, err)
		require.True(t, small.Finished)
		s := small.Scenario
		text, err := scenarios.Marshal(s)
		require.NoError(t, err)
		require.Len(t, s.Faults, 2, "%s", text)
		require.Equal(t, fault.Fault{Kind: fault.PowerCut, At: s.Faults[1].At, For: time.Second,
			Machines: []string{"n2"}},
			s.Faults[1])
		require.Len(t, s.Machines, 2)
		require.Equal(t, workload.Spec{Clients: 1, Operations: 7, Keys: 1, ValueBytes: s.Workload.ValueBytes,
			Pause: s.Workload.Pause, Timeout: s.Workload.Timeout, Mix: map[string]int{"write": 3}},
			s.Workload)
		require.Less(t, s.Duration, 100*time.Second)
		require.NotContains(t, string(text), "run:", "the subject's commands are not needed")
		require.NotContains(t, string(text), "services: {a")
		require.Equal(t, 7, small.Operations)
		require.Positive(t, small.Accepted)
	}
}

// TestParallelAttemptsChangeNothing: the first in order wins, whichever ends first.
func TestParallelAttemptsChangeNothing(t *testing.T) {
	var want []byte
	for _, parallel := range []int{1, 2, 5} {
		small, err := shrink.Shrink(t.Context(),
			&predicate{fails: func(s *scenarios.Scenario, seed uint64) bool {
				return needs(s, seed) && (seed+uint64(s.Workload.Operations))%3 == 0
			}}, read(t, large), shrink.Options{Seed: 1, Property: "store", Parallel: parallel})
		require.NoError(t, err)
		text, err := scenarios.Marshal(small.Scenario)
		require.NoError(t, err)
		if want == nil {
			want = text
		}
		require.Equal(t, string(want), string(text))
	}
}

// TestNemesisBecomesFaults: what a nemesis drew is written down, and then left out.
func TestNemesisBecomesFaults(t *testing.T) {
	s := read(t, large)
	s.Faults, s.Nemesis = nil, &scenarios.Nemesis{Kinds: []fault.Kind{fault.Kill,
		fault.PowerCut, fault.Pause},
		Every: 10 * time.Second, ForMin: time.Second, ForMax: 5 * time.Second, AtOnce: 2}
	bug := func(s *scenarios.Scenario, _ uint64) bool {
		return s.Nemesis != nil || slices.ContainsFunc(s.Faults,
			func(f fault.Fault) bool { return f.Kind == fault.Pause })
	}
	small, err := shrink.Shrink(t.Context(), &predicate{fails: bug}, s,
		shrink.Options{Seed: 1, Property: "store"})
	require.NoError(t, err)
	require.Nil(t, small.Scenario.Nemesis)
	require.Len(t, small.Scenario.Faults, 1)

	stubborn := func(s *scenarios.Scenario, _ uint64) bool {
		return s.Nemesis != nil && slices.Contains(s.Nemesis.Kinds, fault.Kill)
	}
	small, err = shrink.Shrink(t.Context(), &predicate{fails: stubborn}, s,
		shrink.Options{Seed: 1, Property: "store"})
	require.NoError(t, err)
	require.Equal(t, []fault.Kind{fault.Kill}, small.Scenario.Nemesis.Kinds)
	require.Equal(t, 1, small.Scenario.Nemesis.AtOnce)
}

func TestWhatDoesNotFailIsNotShrunk(t *testing.T) {
	never := &predicate{fails: func(*scenarios.Scenario, uint64) bool { return false }}
	_, err := shrink.Shrink(t.Context(), never, read(t, large), shrink.Options{Seed: 1, Property: "store"})
	require.ErrorIs(t, err, shrink.ErrNoFailure)
	require.ErrorContains(t, err, "check store finds no violation in large with seed 1")
}

// TestTheEndOfTheContextKeepsTheBest: a search that is stopped returns what it has.
func TestTheEndOfTheContextKeepsTheBest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := &predicate{}
	p.fails = func(s *scenarios.Scenario, seed uint64) bool {
		if p.attempts.Load() == 9 {
			cancel()
		}
		return needs(s, seed)
	}
	small, err := shrink.Shrink(ctx, p, read(t, large), shrink.Options{Seed: 1, Property: "store"})
	require.NoError(t, err)
	require.False(t, small.Finished)
	require.True(t, needs(small.Scenario, 1))
	require.Less(t, len(small.Scenario.Faults), 6)
}

// broken cannot make runs.
type broken struct{ error }

func (b broken) Try(_ context.Context, a shrink.Attempt) (shrink.Result, error) {
	if len(a.Scenario.Faults) == 6 {
		return shrink.Result{Failed: true}, nil
	}
	return shrink.Result{}, b.error
}

func TestAnErrorEndsTheSearch(t *testing.T) {
	problem := errors.New("no disk")
	_, err := shrink.Shrink(t.Context(), broken{problem}, read(t, large), shrink.Options{Property: "store"})
	require.ErrorIs(t, err, problem)
}

// drawn is a bug that takes a kill at one time, which overrides of the nemesis give, and one more replaced
// draw.
type drawn struct{}

// Try implements shrink.Trier.
func (drawn) Try(_ context.Context, a shrink.Attempt) (shrink.Result, error) {
	for _, seed := range a.Seeds {
		faults := scenarios.Expand(a.Scenario, nil, draw.DeriveWith(seed, a.Overrides))
		if slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.Kind == fault.Kill }) &&
			slices.Contains(a.Overrides, draw.Override{Stream: "link", Label: "delay", Index: 4, Value: 1}) {
			return shrink.Result{Failed: true, Seed: seed}, nil
		}
	}
	return shrink.Result{}, nil
}

// TestOverridesAreShrunk: those of the nemesis become faults, and of the others the needed one is left.
func TestOverridesAreShrunk(t *testing.T) {
	s := read(t, large)
	s.Faults, s.Nemesis = nil, &scenarios.Nemesis{Kinds: []fault.Kind{fault.Pause, fault.Kill},
		Every: 10 * time.Second, ForMin: time.Second, ForMax: 5 * time.Second, AtOnce: 2}
	nemesis := func(label string, index, value uint64) draw.Override {
		return draw.Override{Stream: scenarios.NemesisStream, Label: label, Index: index, Value: value}
	}
	var overrides []draw.Override
	for i := range uint64(40) {
		overrides = append(overrides, nemesis("occurs", i, 0),
			draw.Override{Stream: "link", Label: "delay", Index: i, Value: 1})
	}
	overrides = append(overrides, nemesis("occurs", 1, 1), nemesis("kind", 1, 1))
	small, err := shrink.Shrink(t.Context(), drawn{}, s, shrink.Options{Seed: 3, Property: "store",
		Overrides: overrides})
	require.NoError(t, err)
	require.True(t, small.Finished)
	require.Nil(t, small.Scenario.Nemesis)
	require.Len(t, small.Scenario.Faults, 1)
	require.Equal(t, fault.Kill, small.Scenario.Faults[0].Kind)
	require.Equal(t, []draw.Override{{Stream: "link", Label: "delay", Index: 4, Value: 1}}, small.Overrides)
}
