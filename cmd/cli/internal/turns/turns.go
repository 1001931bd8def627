// Package turns decides which run a campaign makes next.
//
// Every unit, a scenario with a strategy, gets the same processor time, from the first second on. Half of the
// turns of an open campaign go to the unit that has lately shown most new behaviour for its time, of those
// that have run: a unit whose runs differ gets many before every other one has had its first.
//
// Package turns never makes a run and never reads a clock.
package turns

import (
	"math"
	"time"
)

// Unit is a range of seeds that runs are made with.
type Unit struct {
	First, Last uint64
	// Step is the distance from one seed to the next; 0 stands for 1.
	Step uint64
	// Has reports which seeds an earlier part of the campaign has run; nil means none.
	Has map[uint64]bool
}

// Chooser chooses the next run. It is not safe for use by several goroutines.
type Chooser struct {
	units    []unit
	byYield  bool
	yieldHas bool // it is the turn of the unit with the highest yield
}

type unit struct {
	Unit
	next    uint64
	running int
	runs    int
	cost    time.Duration
	// yieldRate is the new behaviour for a second of late runs.
	yieldRate float64
	closed    bool
}

// New returns the chooser of a campaign. With byYield, half of the turns go by yield.
func New(units []Unit, byYield bool) *Chooser {
	c := &Chooser{byYield: byYield}
	for _, u := range units {
		u.Step = max(u.Step, 1)
		c.units = append(c.units, unit{Unit: u, next: u.First})
	}
	return c
}

// Next returns the unit and the seed of the next run; ok is false when there is none left.
func (c *Chooser) Next() (index int, seed uint64, ok bool) {
	byYield := c.byYield && c.yieldHas
	c.yieldHas = !c.yieldHas
	best := c.best(byYield)
	if best < 0 && byYield {
		best = c.best(false) // none that has run has a seed left
	}
	if best < 0 {
		return 0, 0, false
	}
	u := &c.units[best]
	seed = u.next
	u.pass()
	u.running++
	return best, seed, true
}

// best returns the unit whose turn it is, -1 if there is none; by yield only units that have run count.
func (c *Chooser) best(byYield bool) int {
	best := -1
	for i := range c.units {
		u := &c.units[i]
		if !u.skip() || byYield && u.runs == 0 {
			continue
		}
		if best < 0 || u.before(&c.units[best], byYield) {
			best = i
		}
	}
	return best
}

// skip passes the seeds that were run before and reports whether any is left.
func (u *unit) skip() bool {
	for !u.closed && u.next <= u.Last && u.Has[u.next] {
		u.pass()
	}
	return !u.closed && u.next <= u.Last
}

// pass goes on to the next seed; it closes the unit if there is no larger number.
func (u *unit) pass() {
	u.closed = u.closed || u.next > math.MaxUint64-u.Step
	u.next += u.Step
}

// before reports whether a unit comes before another one.
func (u *unit) before(v *unit, byYield bool) bool {
	if byYield {
		// A run under way makes the next one less urgent.
		return u.yieldRate/float64(1+u.running) > v.yieldRate/float64(1+v.running)
	}
	return u.expectedCost() < v.expectedCost()
}

// expectedCost is the cost of the unit's runs, with those under way.
func (u *unit) expectedCost() time.Duration {
	if u.runs == 0 {
		return time.Duration(u.running) * firstRunCost
	}
	return u.cost + time.Duration(u.running)*(u.cost/time.Duration(u.runs))
}

// firstRunCost stands for the unknown cost of a unit's first run.
const firstRunCost = time.Second

// yieldMemory is the share that late runs have in a unit's yield.
const yieldMemory = 0.3

// CountRun counts a run of a unit: what it cost, and how much new behaviour it showed.
func (c *Chooser) CountRun(index int, cost time.Duration, newBehaviour int) {
	u := &c.units[index]
	u.running--
	u.runs++
	u.cost += cost
	rate := float64(newBehaviour) / max(cost.Seconds(), 1e-3)
	// The first run shows what others of its kind would have shown as well. What the unit shows again and
	// again begins with the second.
	if u.runs <= 2 {
		u.yieldRate = rate
		return
	}
	u.yieldRate += yieldMemory * (rate - u.yieldRate)
}

// Close ends a unit: none of its runs will be chosen.
func (c *Chooser) Close(index int) { c.units[index].closed = true }
