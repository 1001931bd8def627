package simtest

import (
	"context"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
	"github.com/holdfast-sim/holdfast/sim"
)

// shrink makes a failing scenario small where -sim.shrink asks for it, and prints what is left as a file.
func (c *trial) shrink() {
	c.t.Helper()
	violation := shrink.Violation(c.run, "")
	if *flagShrink == "" || violation == nil {
		return
	}
	limit, err := time.ParseDuration(*flagShrink)
	if err != nil || limit <= 0 {
		c.t.Errorf("-sim.shrink %q is no duration such as 30s", *flagShrink)
		return
	}
	if len(c.draws) > 0 {
		c.t.Logf("-sim.shrink: a run with -sim.draws has draws that a smaller scenario would not have")
		return
	}
	ctx, cancel := context.WithTimeout(c.context(), limit)
	defer cancel()
	small, err := shrink.Shrink(ctx, shrink.InProcess{Runner: sim.Runner{}, Subject: c.subjectOf},
		c.scenario.WithNemesisOf(c.run),
		shrink.OptionsFor(c.subject, c.seed, violation.Checker))
	if err != nil {
		c.t.Errorf("-sim.shrink: %v", err)
		return
	}
	file, err := scenarios.Marshal(small.Scenario)
	if err != nil {
		c.t.Errorf("-sim.shrink: %v", err)
		return
	}
	c.t.Logf("left after %d attempts: faults %d, operations %d, machines %d; with seed %d, %s: %s\n%s",
		small.Attempts, small.Faults, small.Operations, len(small.Scenario.Machines), small.Seed,
		violation.Checker, small.Summary, file)
}

// subjectOf makes the subject of a smaller scenario.
func (c *trial) subjectOf(s *scenarios.Scenario) (scenarios.Subject, error) {
	if c.decode == nil {
		return c.subject, nil
	}
	return c.decode(s)
}
