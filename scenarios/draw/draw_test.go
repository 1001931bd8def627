package draw_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

func take(c draw.Chooser, count int, n uint64) []uint64 {
	out := make([]uint64, count)
	for i := range out {
		out[i] = c.Choose(n)
	}
	return out
}

// TestGoldenDraws pins what seeds give. A replay file holds a seed, so a change here makes every
// recorded run another run.
func TestGoldenDraws(t *testing.T) {
	require.Equal(t, []uint64{840, 339, 722, 139, 261, 616, 664, 0},
		take(draw.NewList(7, "client/c0", "key"), 8, 1000))
	require.Equal(t, []uint64{2, 3, 0, 0, 3, 2, 0, 3}, take(draw.NewList(0, "nemesis", "kind"), 8, 7))
	e := draw.NewEntropy(7, "n1", "store", "salt", "1")
	require.Equal(t, "ba18bdf24847545f 996ab8f2c2340ce7", fmt.Sprintf("%016x %016x", e.Uint64(), e.Uint64()))
}

func TestListsAreIndependent(t *testing.T) {
	alone := take(draw.NewList(5, "link", "loss"), 50, 1000)
	lists := draw.Derive(5)
	take(lists("link", "delay"), 7, 10)
	first := take(lists("link", "loss"), 20, 1000)
	take(lists("other", "loss"), 3, 10)
	require.Equal(t, alone, append(first, take(lists("link", "loss"), 30, 1000)...),
		"one list for the same names")
	require.NotEqual(t, alone, take(draw.NewList(6, "link", "loss"), 50, 1000), "another seed")
	require.NotEqual(t, take(draw.NewList(5, "ab", "c"), 50, 1000),
		take(draw.NewList(5, "a", "bc"), 50, 1000))
}

func TestDrawsStayBelowTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw.NewList(rapid.Uint64().Draw(t, "seed"), rapid.String().Draw(t, "stream"),
			rapid.String().Draw(t, "label"))
		n := rapid.Uint64Min(1).Draw(t, "n")
		for i := range uint64(20) {
			require.Equal(t, i, l.Drawn())
			require.Less(t, l.Choose(n), n)
		}
	})
}

// TestOneDrawDoesNotDependOnTheRangesBefore: the i-th draw depends on i, not on what was asked for
// earlier.
func TestOneDrawDoesNotDependOnTheRangesBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.NewList(3, "x", "y"), draw.NewList(3, "x", "y")
		for range rapid.IntRange(0, 20).Draw(t, "draws before") {
			a.Choose(rapid.Uint64Min(1).Draw(t, "n"))
			b.Choose(1)
		}
		require.Equal(t, a.Choose(1<<60), b.Choose(1<<60))
	})
}

func TestDrawsAreSpread(t *testing.T) {
	counts := make([]int, 10)
	for _, v := range take(draw.NewList(1, "a", "b"), 10_000, 10) {
		counts[v]++
	}
	for v, c := range counts {
		require.InDelta(t, 1000, c, 150, "value %d", v)
	}
}

func TestEntropyFillEqualsUint64(t *testing.T) {
	a, b := draw.NewEntropy(1, "x"), draw.NewEntropy(1, "x")
	buf := make([]byte, 19)
	a.Fill(buf)
	require.Equal(t, byte(b.Uint64()), buf[0])
	require.NotEqual(t, draw.NewEntropy(1, "x").Uint64(), draw.NewEntropy(1, "y").Uint64())
}

// TestDeriveWithReplacesSingleDraws: the others are the derived ones, and a value beyond the range stands for
// the largest.
func TestDeriveWithReplacesSingleDraws(t *testing.T) {
	plain := take(draw.NewList(5, "nemesis", "kind"), 6, 10)
	lists := draw.DeriveWith(5, []draw.Override{{Stream: "nemesis", Label: "kind", Index: 2, Value: 4},
		{Stream: "nemesis", Label: "kind", Index: 4, Value: 77},
		{Stream: "other", Label: "kind", Index: 0, Value: 1}})
	plain[2], plain[4] = 4, 9
	got := take(lists("nemesis", "kind"), 3, 10)
	got = append(got, take(lists("nemesis", "kind"), 3, 10)...)
	require.Equal(t, plain, got, "one list for the same names")
}
