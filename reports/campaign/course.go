package campaign

import "time"

const (
	// maxSteps is into how many steps the course of a campaign is divided at most.
	maxSteps = 96
	// shortestStep is the processor time of a step at the beginning.
	shortestStep = 10 * time.Millisecond
)

// course is how a campaign went: its runs in the order in which they ended, added up in steps of processor
// time. However long the campaign is, the number of steps is limited: they get longer.
type course struct {
	length time.Duration // of a step; 0 before the first run
	now    time.Duration
	steps  []step
}

// step is what happened in one step of a course.
type step struct{ runs, failed, behaviours int }

// add counts a run that took so much processor time, and showed so many new kinds of behaviour.
func (c *course) add(cost time.Duration, failed bool, behaviours int) {
	if c.length == 0 {
		c.length = shortestStep
	}
	c.now += max(cost, 0)
	for c.now/c.length >= maxSteps {
		c.halve()
	}
	for int(c.now/c.length) >= len(c.steps) {
		c.steps = append(c.steps, step{})
	}
	last := &c.steps[len(c.steps)-1]
	last.runs++
	last.behaviours += behaviours
	if failed {
		last.failed++
	}
}

// halve joins two steps each.
func (c *course) halve() {
	c.length *= 2
	for i := range c.steps {
		if i%2 == 0 {
			c.steps[i/2] = c.steps[i]
			continue
		}
		to, from := &c.steps[i/2], &c.steps[i]
		to.runs += from.runs
		to.failed += from.failed
		to.behaviours += from.behaviours
	}
	c.steps = c.steps[:(len(c.steps)+1)/2]
}
