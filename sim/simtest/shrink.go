package simtest

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
	"github.com/holdfast-sim/holdfast/sim"
)

// shrink makes a failing scenario small where -sim.shrink asks for it, and prints what is left as a file. It
// returns what to save, and why it failed: the small scenario, or else the trial's own.
func (c *trial) shrink() (*savedFailure, string) {
	c.t.Helper()
	violation := shrink.Violation(c.run, "")
	if *flagShrink == "" || violation == nil || fuzzing() {
		return c.asSavedFailure()
	}
	limit, err := time.ParseDuration(*flagShrink)
	if err != nil || limit <= 0 {
		c.t.Errorf("-sim.shrink %q is no duration such as 30s", *flagShrink)
		return c.asSavedFailure()
	}
	ctx, cancel := context.WithTimeout(c.context(), limit)
	defer cancel()
	options := shrink.OptionsFor(c.subject, c.seed, violation.Checker)
	options.Overrides = c.overrides
	small, err := shrink.Shrink(ctx, shrink.InProcess{Runner: sim.Runner{}, Subject: c.subjectOf},
		c.scenario.WithNemesisOf(c.run), options)
	if err != nil {
		c.t.Errorf("-sim.shrink: %v", err)
		return c.asSavedFailure()
	}
	file, err := scenarios.Marshal(small.Scenario)
	if err != nil {
		c.t.Errorf("-sim.shrink: %v", err)
		return c.asSavedFailure()
	}
	for _, o := range small.Overrides {
		file = fmt.Appendf(file, "# with draw %d of %s, %s: %d\n", o.Index, o.Stream, o.Label, o.Value)
	}
	c.t.Logf("left after %d attempts: faults %d, operations %d, machines %d; with seed %d, %s: %s\n%s",
		small.Attempts, small.Faults, small.Operations, len(small.Scenario.Machines), small.Seed,
		violation.Checker, small.Summary, file)
	return &savedFailure{Seed: small.Seed, Overrides: small.Overrides, scenario: small.Scenario},
		violation.Checker + ": " + small.Summary
}

// subjectOf makes the subject of a smaller scenario.
func (c *trial) subjectOf(s *scenarios.Scenario) (scenarios.Subject, error) {
	if c.decode == nil {
		return c.subject, nil
	}
	return c.decode(s)
}
