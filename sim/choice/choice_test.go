package choice_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/sim/choice"
)

func draws(l *choice.List, count int, n uint64) []uint64 {
	out := make([]uint64, count)
	for i := range out {
		out[i] = l.Choose(n)
	}
	return out
}

func TestListsAreIndependent(t *testing.T) {
	alone := draws(choice.New(choice.Options{Seed: 5}).List("link", "loss"), 50, 1000)
	s := choice.New(choice.Options{Seed: 5})
	draws(s.List("link", "delay"), 7, 10)
	first := draws(s.List("link", "loss"), 20, 1000)
	draws(s.List("other", "loss"), 3, 10)
	rest := draws(s.List("link", "loss"), 30, 1000)
	require.Equal(t, alone, append(first, rest...))
	require.NotEqual(t, alone, draws(choice.New(choice.Options{Seed: 6}).List("link", "loss"), 50, 1000))
	require.EqualValues(t, 60, s.Count())
}

func TestDrawsStayBelowTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := choice.New(choice.Options{Seed: rapid.Uint64().Draw(t, "seed")}).List("a", "b")
		n := rapid.Uint64Min(1).Draw(t, "n")
		for range 50 {
			require.Less(t, l.Choose(n), n)
		}
	})
}

func TestDrawsAreSpread(t *testing.T) {
	counts := make([]int, 10)
	for _, v := range draws(choice.New(choice.Options{Seed: 1}).List("a", "b"), 10_000, 10) {
		counts[v]++
	}
	for v, c := range counts {
		require.InDelta(t, 1000, c, 150, "value %d", v)
	}
}

func TestOverridesReplaceOneDraw(t *testing.T) {
	plain := draws(choice.New(choice.Options{Seed: 1}).List("a", "b"), 10, 100)
	s := choice.New(choice.Options{Seed: 1, Record: true, Overrides: []choice.Override{
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
		Overrides: []choice.Override{{Stream: "a", Label: "b", Index: 1, Value: 4}}})
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

func TestEntropyFillsLikeItsWords(t *testing.T) {
	a, b := choice.NewEntropy(1, "x"), choice.NewEntropy(1, "x")
	buf := make([]byte, 19)
	a.Fill(buf)
	require.Equal(t, byte(b.Uint64()), buf[0])
	c := choice.NewEntropy(1, "y")
	require.NotEqual(t, choice.NewEntropy(1, "x").Uint64(), c.Uint64())
}
