package sched

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func cluster(loads ...float64) *Usage {
	u := NewWeighted()
	for i, l := range loads {
		u.AddNode(string(rune('a'+i)), Stats{CPU: 10, MemBytes: 100}, Stats{CPU: 10 * l, MemBytes: 100 * l})
	}
	return u
}

func TestBasicCountsServices(t *testing.T) {
	u := NewBasic()
	u.AddNode("a", Stats{}, Stats{})
	u.AddNode("b", Stats{}, Stats{})
	u.AddService("a", Stats{CPU: 1}, false)
	u.AddService("a", Stats{CPU: 1}, false)
	u.AddService("nowhere", Stats{}, false)
	require.Equal(t, map[string]float64{"a": 2, "b": 0}, u.Scores(Stats{}, false))
}

func TestEmptierNodesScoreBetter(t *testing.T) {
	scores := cluster(0.5, 0.1, 0.3).Scores(Stats{CPU: 1, MemBytes: 10}, false)
	require.Less(t, scores["b"], scores["c"])
	require.Less(t, scores["c"], scores["a"])
}

func TestUnlimitedServicesCountAsTheWholeNode(t *testing.T) {
	u := cluster(0, 0)
	u.AddService("a", Stats{MemBytes: 1}, true)
	require.InDelta(t, 10, u.nodes["a"].usage.CPU, 0)
	require.InDelta(t, 1, u.nodes["a"].usage.MemBytes, 0)
}

func TestEqualNodesScoreZero(t *testing.T) {
	for node, score := range cluster(0.2, 0.2, 0.2).Scores(Stats{CPU: 1, MemBytes: 1}, false) {
		require.Zero(t, score, node)
	}
}

func TestImbalanceOfKnownClusters(t *testing.T) {
	require.Zero(t, cluster().Imbalance())
	require.Zero(t, cluster(0, 0, 0).Imbalance())
	require.Zero(t, cluster(0.5, 0.5).Imbalance())
	require.InDelta(t, 1, cluster(0.8, 0).Imbalance(), 1e-15)
	require.InDelta(t, math.Sqrt2, cluster(0.3, 0, 0).Imbalance(), 1e-15)
}

func TestBestMigration(t *testing.T) {
	u := cluster(0.9, 0.1, 0)
	half := Stats{CPU: 4, MemBytes: 40}
	moves := []Migration{
		{SID: "vm:2", Source: "a", Target: "b", Stats: half},
		{SID: "vm:2", Source: "a", Target: "c", Stats: half},
		{SID: "vm:1", Source: "a", Target: "c", Stats: half},
	}
	for name, choose := range map[string]func([]Migration) (Migration, float64, bool){
		"bruteforce": u.Best, "topsis": u.BestByTopsis,
	} {
		best, after, found := choose(moves)
		require.True(t, found, name)
		require.Equal(t, "c", best.Target, name)
		require.Equal(t, "vm:1", best.SID, "%s: ties are broken by name", name)
		require.Less(t, after, u.Imbalance(), name)
	}
	_, _, found := u.Best(nil)
	require.False(t, found)
	_, _, found = u.BestByTopsis(nil)
	require.False(t, found)
}

func drawUsage(t *rapid.T) (*Usage, []Migration) {
	u := NewWeighted()
	amount := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.01, 64))
	var names []string
	for i := range rapid.IntRange(1, 6).Draw(t, "nodes") {
		name := string(rune('a' + i))
		names = append(names, name)
		u.AddNode(name, Stats{amount.Draw(t, "cpus"), amount.Draw(t, "mem")},
			Stats{amount.Draw(t, "cpu"), amount.Draw(t, "used")})
	}
	var moves []Migration
	for range rapid.IntRange(0, 6).Draw(t, "moves") {
		moves = append(moves, Migration{
			SID:    rapid.SampledFrom([]string{"vm:1", "vm:2"}).Draw(t, "sid"),
			Source: rapid.SampledFrom(names).Draw(t, "source"),
			Target: rapid.SampledFrom(names).Draw(t, "target"),
			Stats:  Stats{amount.Draw(t, "cpu"), amount.Draw(t, "mem")},
		})
	}
	return u, moves
}

func TestScoresAreFiniteAndDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, moves := drawUsage(t)
		stats := Stats{CPU: rapid.Float64Range(0, 8).Draw(t, "cpu"),
			MemBytes: rapid.Float64Range(0, 8).Draw(t, "mem")}
		first := u.Scores(stats, stats.CPU == 0)
		require.Equal(t, first, u.Scores(stats, stats.CPU == 0))
		for node, score := range first {
			require.False(t, math.IsNaN(score) || score > 0 || score < -1, "node %s scores %v", node, score)
		}
		require.False(t, math.IsNaN(u.Imbalance()))
		reversed := make([]Migration, 0, len(moves))
		for i := len(moves) - 1; i >= 0; i-- {
			reversed = append(reversed, moves[i])
		}
		a, x, _ := u.Best(moves)
		b, y, _ := u.Best(reversed)
		if a.SID == b.SID && a.Source == b.Source && a.Target == b.Target {
			require.Equal(t, x, y)
		} else {
			require.Equal(t, x, y, "only equally good migrations may depend on the order of equal names")
		}
	})
}
