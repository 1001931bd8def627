// Package turns decides which run a campaign makes next.
//
// Every unit, a scenario with a strategy, gets the same processor time, from the first second on. A third
// of the turns of an open campaign goes to the unit that has lately shown most new behaviour for its time,
// of those that have run: a unit whose runs differ gets many before every other one has had its first.
// Another third goes to the units whose seeds draw the scenario itself, which share it evenly: a story shows
// in its first runs what it has to show, and a drawn scenario is another one each time.
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
	// Drawn means that each seed draws another scenario.
	Drawn bool
}

// Chooser chooses the next run. It is not safe for use by several goroutines.
type Chooser struct {
	units []unit
	rules []rule // take turns
	turn  int
}

// rule is how a unit is chosen.
type rule int

const (
	byCost      rule = iota // the unit that has cost least
	byYield                 // the unit with the highest yield, of those that have run
	byDrawnCost             // the drawn unit that has cost least
)

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

// New returns the chooser of a campaign. In an open one turns go by yield and to drawn units as well.
func New(units []Unit, open bool) *Chooser {
	c := &Chooser{rules: []rule{byCost}}
	if open {
		c.rules = append(c.rules, byYield)
	}
	for _, u := range units {
		u.Step = max(u.Step, 1)
		c.units = append(c.units, unit{Unit: u, next: u.First})
		if open && u.Drawn && len(c.rules) == int(byDrawnCost) {
			c.rules = append(c.rules, byDrawnCost)
		}
	}
	return c
}

// Next returns the unit and the seed of the next run; ok is false when there is none left.
func (c *Chooser) Next() (index int, seed uint64, ok bool) {
	by := c.rules[c.turn]
	c.turn = (c.turn + 1) % len(c.rules)
	best := c.best(by)
	if best < 0 && by != byCost {
		best = c.best(byCost) // none of those that the rule knows has a seed left
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

// best returns the unit whose turn it is by a rule, -1 if there is none.
func (c *Chooser) best(by rule) int {
	best := -1
	for i := range c.units {
		u := &c.units[i]
		if !u.skip() || by == byYield && u.runs == 0 || by == byDrawnCost && !u.Drawn {
			continue
		}
		if best < 0 || u.before(&c.units[best], by) {
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
func (u *unit) before(v *unit, by rule) bool {
	if by == byYield {
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
