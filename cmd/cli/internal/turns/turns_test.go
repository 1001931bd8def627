package turns_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/turns"
)

// TestEveryUnitIsRunFromTheFirstSecond: each unit has one run before any has its second, and units with cheap
// runs get more of them.
func TestEveryUnitIsRunFromTheFirstSecond(t *testing.T) {
	c := turns.New([]turns.Unit{{First: 1, Last: 1000}, {First: 1, Last: 1000}, {First: 1, Last: 1000}},
		false)
	costs := []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Second}
	var order []int
	runs := make([]int, 3)
	for range 120 {
		unit, seed, ok := c.Next()
		require.True(t, ok)
		runs[unit]++
		require.EqualValues(t, runs[unit], seed)
		order = append(order, unit)
		c.CountRun(unit, costs[unit], 0)
	}
	require.ElementsMatch(t, []int{0, 1, 2}, order[:3])
	require.Equal(t, 2, runs[2], "costly runs are rare")
	require.InDelta(t, 10, float64(runs[1])/float64(runs[0]), 2)
}

// TestHalfOfTheTurnsGoByYield: a unit that shows new behaviour gets more, and none is left out.
func TestHalfOfTheTurnsGoByYield(t *testing.T) {
	c := turns.New([]turns.Unit{{First: 1, Last: 1000}, {First: 1, Last: 1000}, {First: 1, Last: 1000}}, true)
	runs := make([]int, 3)
	for range 300 {
		unit, _, ok := c.Next()
		require.True(t, ok)
		runs[unit]++
		newBehaviour := 0
		if unit == 1 {
			newBehaviour = 5
		}
		c.CountRun(unit, time.Second, newBehaviour)
	}
	require.Greater(t, runs[1], 140)
	require.Greater(t, runs[0], 50)
	require.Greater(t, runs[2], 50)
}

// TestAThirdOfTheTurnsGoesToDrawnUnits: each of them gets the same time of it, however many others there are.
func TestAThirdOfTheTurnsGoesToDrawnUnits(t *testing.T) {
	const others = 200
	units := []turns.Unit{{First: 1, Last: 1000, Drawn: true}, {First: 1, Last: 1000, Drawn: true}}
	for range others {
		units = append(units, turns.Unit{First: 1, Last: 1000})
	}
	costs := []time.Duration{time.Second, 3 * time.Second}
	for _, open := range []bool{true, false} {
		c, runs := turns.New(units, open), make([]int, len(units))
		for range 600 {
			unit, _, ok := c.Next()
			require.True(t, ok)
			runs[unit]++
			cost, newBehaviour := time.Second, 1
			if unit < len(costs) {
				cost, newBehaviour = costs[unit], 0
			}
			c.CountRun(unit, cost, newBehaviour)
		}
		if open {
			require.InDelta(t, 150, runs[0], 10)
			require.InDelta(t, 50, runs[1], 10)
		} else {
			require.InDelta(t, 3, runs[0], 1)
			require.InDelta(t, 1, runs[1], 1)
		}
	}
}

// TestRunsThatDifferComeEarly: a unit whose runs go on showing new behaviour gets many of them before each of
// many others, whose second run shows nothing new, has had its first.
func TestRunsThatDifferComeEarly(t *testing.T) {
	const others, differs = 400, 300
	units := make([]turns.Unit, others+1)
	for i := range units {
		units[i] = turns.Unit{First: 1, Last: 1000}
	}
	c := turns.New(units, true)
	runs := make([]int, len(units))
	for range 2*others + 4 {
		unit, _, ok := c.Next()
		require.True(t, ok)
		runs[unit]++
		newBehaviour := 0
		if unit == differs || runs[unit] == 1 {
			newBehaviour = 20
		}
		c.CountRun(unit, time.Second, newBehaviour)
	}
	require.Greater(t, runs[differs], 50)
	for unit, count := range runs {
		require.NotZero(t, count, "unit %d", unit)
	}
}

// TestEverySeedIsChosenOnce: whatever the costs and the runs before.
func TestEverySeedIsChosenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := make([]turns.Unit, rapid.IntRange(1, 5).Draw(t, "units"))
		left := map[int]map[uint64]bool{}
		total := 0
		for i := range units {
			units[i].First = rapid.Uint64Range(0, 9).Draw(t, "first")
			units[i].Last = units[i].First + rapid.Uint64Range(0, 9).Draw(t, "more")
			units[i].Has, left[i] = map[uint64]bool{}, map[uint64]bool{}
			for seed := units[i].First; seed <= units[i].Last; seed++ {
				units[i].Has[seed] = rapid.Bool().Draw(t, "has")
				if !units[i].Has[seed] {
					left[i][seed] = true
					total++
				}
			}
		}
		c := turns.New(units, rapid.Bool().Draw(t, "by yield"))
		for range total {
			unit, seed, ok := c.Next()
			require.True(t, ok)
			require.True(t, left[unit][seed], "unit %d seed %d", unit, seed)
			delete(left[unit], seed)
			if rapid.Bool().Draw(t, "ends") {
				c.CountRun(unit, time.Duration(rapid.IntRange(0, 1e9).Draw(t, "cost")), 0)
			}
		}
		_, _, ok := c.Next()
		require.False(t, ok)
	})
}

// TestSteps: a unit with a step runs every so many seeds, and ends before numbers run over.
func TestSteps(t *testing.T) {
	for _, c := range []struct {
		unit turns.Unit
		want []uint64
	}{
		{turns.Unit{First: 3, Last: 12, Step: 4}, []uint64{3, 7, 11}},
		{turns.Unit{First: 3, Last: 12, Step: 4, Has: map[uint64]bool{7: true, 8: true}}, []uint64{3, 11}},
		{turns.Unit{First: math.MaxUint64 - 5, Last: math.MaxUint64 - 1, Step: 3},
			[]uint64{math.MaxUint64 - 5, math.MaxUint64 - 2}},
	} {
		chooser := turns.New([]turns.Unit{c.unit}, false)
		var seeds []uint64
		for {
			_, seed, ok := chooser.Next()
			if !ok {
				break
			}
			seeds = append(seeds, seed)
		}
		require.Equal(t, c.want, seeds)
	}
}
