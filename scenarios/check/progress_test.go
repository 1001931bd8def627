package check

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// TestChanceIsNoProof: a ring that forms again and again serves less than half of the calls, and all six
// renames of a run failed (pair-cut, seed 168). That is chance. Six of six are proof where the others work.
func TestChanceIsNoProof(t *testing.T) {
	for _, c := range []struct{ calls, served, enough int }{
		{212, 91, 17}, {200, 199, 5}, {100, 100, 5}, {100, 50, 14}, {100, 0, 5}, {10, 1, 10},
		{1000, 20, 456}, {3, 1, 5},
	} {
		require.Equal(t, c.enough, enoughOf(c.calls, c.served), "%+v", c)
	}
	p := newPhase(Span{})
	add := func(f string, calls, served int) {
		for i := range calls {
			p.count(&history.Operation{F: f}, i < served)
		}
	}
	add("write", 200, 91)
	add("rename", 6, 0)
	require.Empty(t, p.problem(leastServedPercent))
	add("rename", 14, 0)
	require.Contains(t, p.problem(leastServedPercent), "none of 20 calls of rename was served")
}
