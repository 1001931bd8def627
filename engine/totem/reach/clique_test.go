package reach

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testGraph returns a graph of n nodes whose links are the bits of a number, pair by pair.
func testGraph(n int, links uint64, weights []uint64) *graph {
	g := &graph{neighbours: make([]Set, n), weights: weights}
	bit := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			if links>>bit&1 != 0 {
				g.neighbours[i].Add(j)
				g.neighbours[j].Add(i)
			}
			bit++
		}
	}
	return g
}

// bruteForce tries all sets, those with the lowest nodes first.
func bruteForce(g *graph) Set {
	n := len(g.weights)
	var best Set
	for mask := uint64(1)<<n - 1; mask > 0; mask-- {
		// The lowest node is the highest bit, so that of two sets the one with the lowest differing node is
		// first.
		set := Set{bits.Reverse64(mask) >> (64 - n)}
		if g.isClique(set) && g.weightOf(set) > g.weightOf(best) {
			best = set
		}
	}
	return best
}

func allOf(n int) Set {
	var s Set
	for i := range n {
		s.Add(i)
	}
	return s
}

// TestHeaviestOnEveryGraph compares with brute force: every graph of up to five nodes, with equal weights and
// with unequal ones.
func TestHeaviestOnEveryGraph(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for links := range uint64(1) << (n * (n - 1) / 2) {
			for _, weights := range [][]uint64{{1, 1, 1, 1, 1}, {1, 2, 3, 1, 2}, {3, 1, 1, 2, 2}} {
				g := testGraph(n, links, weights[:n])
				require.Equal(t, bruteForce(g), g.heaviest(allOf(n)), "%d nodes, links %b, %v", n, links,
					weights)
			}
		}
	}
}

func TestHeaviestOnRandomGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(6, 11).Draw(t, "nodes")
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 3), n, n).Draw(t, "weights")
		links := rapid.Uint64().Draw(t, "links") | rapid.Uint64().Draw(t, "more links")
		g := testGraph(n, links, weights)
		require.Equal(t, bruteForce(g), g.heaviest(allOf(n)))
	})
}

// TestSearchThatRunsOutOfSteps: what is found by then is still a clique.
func TestSearchThatRunsOutOfSteps(t *testing.T) {
	g := testGraph(8, 0x5a5a5a5, []uint64{1, 1, 1, 1, 1, 1, 1, 1})
	s := search{graph: g, steps: 3}
	s.expand(Set{}, 0, allOf(8))
	require.Zero(t, s.steps)
	require.True(t, g.isClique(s.bestSet))
}

// BenchmarkHeaviest is the decision of 64 nodes where every twentieth link is cut.
func BenchmarkHeaviest(b *testing.B) {
	const n = 64
	g := &graph{neighbours: make([]Set, n), weights: make([]uint64, n)}
	state := uint64(1)
	for i := range n {
		g.weights[i] = 1
		for j := range i {
			if state = state*6364136223846793005 + 1442695040888963407; state>>33%20 != 0 {
				g.neighbours[i].Add(j)
				g.neighbours[j].Add(i)
			}
		}
	}
	for b.Loop() {
		g.heaviest(allOf(n))
	}
}
