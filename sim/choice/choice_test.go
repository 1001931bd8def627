package choice_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/sim/choice"
)

func draws(l *choice.List, count int, n uint64) []uint64 {
	out := make([]uint64, count)
	for i := range out {
		out[i] = l.Choose(n)
	}
	return out
}

// TestDrawsAreThoseOfTheSeed: the simulator draws what real nodes draw for the same names.
func TestDrawsAreThoseOfTheSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, n := rapid.Uint64().Draw(t, "seed"), rapid.Uint64Min(1).Draw(t, "n")
		for _, record := range []bool{false, true} { // the quick way and the slow one
			s := choice.New(choice.Options{Seed: seed, Record: record})
			s.List("other", "b").Choose(n)
			derived := draw.NewList(seed, "a", "b")
			for range 20 {
				require.Equal(t, derived.Choose(n), s.Lists()("a", "b").Choose(n))
			}
			require.EqualValues(t, 21, s.Count())
		}
	})
}

func TestOverridesReplaceOneDraw(t *testing.T) {
	plain := draws(choice.New(choice.Options{Seed: 1}).List("a", "b"), 10, 100)
	s := choice.New(choice.Options{Seed: 1, Record: true, Overrides: []draw.Override{
		{Stream: "a", Label: "b", Index: 3, Value: 7}, {Stream: "a", Label: "b", Index: 5, Value: 1000}}})
	plain[3], plain[5] = 7, 99
	require.Equal(t, plain, draws(s.List("a", "b"), 10, 100))
	var recorded []uint64
	s.Each(func(stream, label string, index uint64, d choice.Draw) {
		require.Equal(t, "a/b", stream+"/"+label)
		require.EqualValues(t, len(recorded), index)
		require.EqualValues(t, 100, d.N)
		recorded = append(recorded, d.Value)
	})
	require.Equal(t, plain, recorded)
}

func TestZeroModeIsTheTamestRun(t *testing.T) {
	s := choice.New(choice.Options{Seed: 9, Mode: choice.Zero,
		Overrides: []draw.Override{{Stream: "a", Label: "b", Index: 1, Value: 4}}})
	require.Equal(t, []uint64{0, 4, 0}, draws(s.List("a", "b"), 3, 10))
	require.Equal(t, []uint64{0, 0, 0}, draws(s.List("a", "c"), 3, 10))
}

// odd proposes 1 for every odd draw.
type odd struct{}

func (odd) Propose(_, _ string, index, _, value uint64) uint64 {
	if index%2 == 1 {
		return 1
	}
	return value
}

// What a strategy proposes is replayed without it.
func TestStrategiesAreReplayedFromTheirProposals(t *testing.T) {
	s := choice.New(choice.Options{Seed: 3, Strategy: odd{}})
	explored := draws(s.List("a", "b"), 20, 50)
	require.EqualValues(t, 1, explored[1])
	again := choice.New(choice.Options{Seed: 3, Overrides: s.Proposed()})
	require.Equal(t, explored, draws(again.List("a", "b"), 20, 50))
}
