package sched

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Relations between clusters: one is changed in a way whose effect on scores and imbalance is known without
// knowing either.

// testNode is a node of a drawn cluster.
type testNode struct {
	name       string
	size, used Stats
}

func drawNodes(t *rapid.T) (nodes []testNode) {
	share := rapid.Float64Range(0, 1)
	for i := range rapid.IntRange(2, 6).Draw(t, "nodes") {
		size := Stats{CPU: float64(rapid.IntRange(1, 64).Draw(t, "cpus")),
			MemBytes: float64(rapid.IntRange(1, 512).Draw(t, "gib")) * (1 << 30)}
		nodes = append(nodes, testNode{name: string(rune('a' + i)), size: size, used: Stats{
			CPU: size.CPU * share.Draw(t, "cpu"), MemBytes: size.MemBytes * share.Draw(t, "mem")}})
	}
	return nodes
}

func drawService(t *rapid.T) Stats {
	return Stats{CPU: float64(rapid.IntRange(1, 8).Draw(t, "service cpus")),
		MemBytes: float64(rapid.IntRange(1, 16).Draw(t, "service gib")) * (1 << 30)}
}

func usageOf(nodes []testNode) *Usage {
	u := NewWeighted()
	for _, n := range nodes {
		u.AddNode(n.name, n.size, n.used)
	}
	return u
}

func (s Stats) times(cpu, mem float64) Stats {
	return Stats{CPU: s.CPU * cpu, MemBytes: s.MemBytes * mem}
}

const closeEnough = 1e-9

// Loads are fractions of a node, so a unit of CPU or memory that is twice as small changes nothing, to the
// last bit.
func TestUnitsMakeNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, service := drawNodes(t), drawService(t)
		scaled := make([]testNode, len(nodes))
		for i, n := range nodes {
			scaled[i] = testNode{name: n.name, size: n.size.times(2, 8), used: n.used.times(2, 8)}
		}
		require.Equal(t, usageOf(nodes).Scores(service, false),
			usageOf(scaled).Scores(service.times(2, 8), false))
		require.Equal(t, usageOf(nodes).Imbalance(), usageOf(scaled).Imbalance())
	})
}

// The order in which nodes are added has no meaning.
func TestTheOrderOfNodesMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, service := drawNodes(t), drawService(t)
		shuffled := rapid.Permutation(nodes).Draw(t, "order")
		require.Equal(t, usageOf(nodes).Scores(service, false), usageOf(shuffled).Scores(service, false))
		require.Equal(t, usageOf(nodes).Imbalance(), usageOf(shuffled).Imbalance())
	})
}

// Of two nodes of one size, the one with more load of both kinds never scores better, and equal ones score
// the same.
func TestMoreLoadNeverScoresBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, service := drawNodes(t), drawService(t)
		twin := nodes[0]
		twin.name = "z"
		more := rapid.Float64Range(0, 1).Draw(t, "more")
		twin.used = twin.used.plus(twin.size.times(more, more))
		scores := usageOf(append(nodes, twin)).Scores(service, false)
		if more == 0 {
			require.InDelta(t, scores[nodes[0].name], scores["z"], closeEnough)
		} else {
			require.LessOrEqual(t, scores[nodes[0].name], scores["z"]+closeEnough)
		}
	})
}

// A cluster beside an equal one is as uneven as one alone, and so is one in which every load is a part of
// what it was.
func TestImbalanceIsRelative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		before := usageOf(nodes).Imbalance()
		twice := append([]testNode(nil), nodes...)
		for _, n := range nodes {
			twice = append(twice, testNode{name: n.name + "-2", size: n.size, used: n.used})
		}
		require.InDelta(t, before, usageOf(twice).Imbalance(), closeEnough)
		part := rapid.Float64Range(0.01, 1).Draw(t, "part")
		lighter := append([]testNode(nil), nodes...)
		for i := range lighter {
			lighter[i].used = lighter[i].used.times(part, part)
		}
		require.InDelta(t, before, usageOf(lighter).Imbalance(), closeEnough)
	})
}

// drawMigrations draws services that run on the nodes, adds their loads, and returns every move of each.
func drawMigrations(t *rapid.T, nodes []testNode) (moves []Migration) {
	for i := range rapid.IntRange(1, 4).Draw(t, "services") {
		source := rapid.IntRange(0, len(nodes)-1).Draw(t, "source")
		stats := drawService(t)
		nodes[source].used = nodes[source].used.plus(stats)
		for _, target := range nodes {
			if target.name != nodes[source].name {
				moves = append(moves, Migration{SID: "vm:" + string(rune('1'+i)), Source: nodes[source].name,
					Target: target.name, Stats: stats})
			}
		}
	}
	return moves
}

// afterMove is the cluster after a migration.
func afterMove(nodes []testNode, m Migration) *Usage {
	moved := append([]testNode(nil), nodes...)
	for i := range moved {
		switch moved[i].name {
		case m.Source:
			moved[i].used = moved[i].used.minus(m.Stats)
		case m.Target:
			moved[i].used = moved[i].used.plus(m.Stats)
		}
	}
	return usageOf(moved)
}

// What a migration promises is what the cluster shows after it, no candidate is better, and both methods give
// an answer that does not depend on the order of the candidates.
func TestMigrationsKeepTheirPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		moves := drawMigrations(t, nodes)
		u := usageOf(nodes)
		best, promised, found := u.Best(moves)
		require.True(t, found)
		require.InDelta(t, promised, afterMove(nodes, best).Imbalance(), closeEnough)
		for _, m := range moves {
			require.GreaterOrEqual(t, afterMove(nodes, m).Imbalance(), promised-closeEnough, m)
		}
		byTopsis, promisedByTopsis, found := u.BestByTopsis(moves)
		require.True(t, found)
		require.InDelta(t, promisedByTopsis, afterMove(nodes, byTopsis).Imbalance(), closeEnough)
		shuffled := rapid.Permutation(moves).Draw(t, "order")
		again, _, _ := u.Best(shuffled)
		require.Equal(t, best, again)
		again, _, _ = u.BestByTopsis(shuffled)
		require.Equal(t, byTopsis, again)
	})
}

// A service that moves and returns leaves the cluster as it was.
func TestAMoveBackUndoesAMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		moves := drawMigrations(t, nodes)
		m := rapid.SampledFrom(moves).Draw(t, "move")
		back := Migration{SID: m.SID, Source: m.Target, Target: m.Source, Stats: m.Stats}
		loads := afterMove(nodes, m).loadsAfter(back)
		require.InDelta(t, usageOf(nodes).Imbalance(), loadImbalance(loads), closeEnough)
		require.False(t, math.IsNaN(loadImbalance(loads)))
	})
}
