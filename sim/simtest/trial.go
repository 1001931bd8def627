package simtest

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
	"github.com/holdfast-sim/holdfast/sim"
)

// trial is one seed of a test.
type trial struct {
	config
	t        TB
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	seed     uint64
	draws    []byte        // the fuzzer's, or those of -sim.draws: where overrides come from
	alone    bool          // the run must reach the expected probes by itself
	byOne    bool          // of One, rather than of Run or Fuzz
	fuzzed   bool          // of Fuzz: flags choose the input
	saved    *savedFailure // the failure that is run again
	run      *scenarios.Run

	overrides []draw.Override
}

func newTrial(t TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64, opts []Option) *trial {
	t.Helper()
	draws, err := hex.DecodeString(*flagDraws)
	if err != nil {
		t.Fatalf("-sim.draws %q is not hexadecimal: give what a failure printed", *flagDraws)
	}
	trial := &trial{t: t, scenario: s, subject: subject, seed: seed, draws: draws}
	if len(draws) > 0 {
		trial.overrides = overridesOf(draws, nemesisLists(s, subject))
	}
	for _, o := range opts {
		o(&trial.config)
	}
	return trial
}

// judge runs the trial and reports whether it came out as expected.
func (c *trial) judge() bool {
	c.t.Helper()
	c.run = c.simulate()
	c.attachAttributes()
	if c.byOne {
		var counts testrun.Counts
		counts.Add(c.run)
		c.t.Logf("%s", &counts)
	}
	passed := true
	expected := cmp.Or(c.scenario.Expect.Verdict, linearizability.Valid.String())
	switch got := c.run.Verdict(); {
	case got.String() == expected:
	case c.saved != nil && got == linearizability.Unknown:
		c.skipWithoutVerdict()
	default:
		c.run.Reproduce = c.command()
		c.t.Errorf("%s\n%s%s", describe(c.run, expected), c.saveHint(), c.reproduceText())
		passed = false
		c.save(c.shrink())
	}
	if *flagTwice && c.run.Digest != "" {
		passed = c.isSameWhenRepeated() && passed
	}
	if !passed {
		c.keep()
	}
	return passed
}

// isSameWhenRepeated makes the run again and reports whether both are the same.
func (c *trial) isSameWhenRepeated() bool {
	c.t.Helper()
	again := c.simulate()
	if again.Digest == c.run.Digest {
		return true
	}
	where, err := sim.Runner{}.Diverge(c.context(), c.scenario, c.subject, c.options())
	if err != nil {
		where = err.Error()
	}
	c.run.Reproduce = c.command("-sim.twice")
	c.t.Errorf("the same seed gave two different runs: %s and %s\n%s\n%s", c.run.Digest, again.Digest, where,
		c.reproduceText("-sim.twice"))
	return false
}

func (c *trial) context() context.Context {
	if with, ok := c.t.(interface{ Context() context.Context }); ok {
		return with.Context()
	}
	return context.Background()
}

func (c *trial) options() scenarios.RunOptions {
	kept := *flagKeep != ""
	return scenarios.RunOptions{Seed: c.seed, KeepLogs: kept, Debug: kept, Alone: c.alone,
		Overrides: c.overrides}
}

func (c *trial) simulate() *scenarios.Run {
	c.t.Helper()
	options := c.options()
	var err error
	if options.StepTimeout, err = sim.ParseStepTimeout(*flagStepTimeout); err != nil {
		c.t.Fatalf("-sim.steptimeout: %v", err)
	}
	run, err := sim.Runner{}.Run(c.context(), c.scenario, c.subject, options)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	run.Reproduce = c.command()
	return run
}

// attachAttributes attaches what identifies the run to the test's output for programs.
func (c *trial) attachAttributes() {
	t, ok := c.t.(interface{ Attr(key, value string) })
	if !ok {
		return
	}
	t.Attr("sim.scenario", c.scenario.Name)
	t.Attr("sim.seed", strconv.FormatUint(c.seed, 10))
	t.Attr("sim.digest", c.run.Digest)
	t.Attr("sim.steps", strconv.FormatUint(c.run.Steps, 10))
}

func describe(run *scenarios.Run, expected string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s, seed %d: %s, expected %s", run.Scenario.Name, run.Seed, run.Verdict(),
		expected)
	for _, v := range run.Verdicts {
		if v.Validity != linearizability.Valid {
			fmt.Fprintf(&b, "\n  %s: %s: %s", v.Checker, v.Validity, v.Summary)
			for _, d := range v.Details {
				fmt.Fprintf(&b, "\n    %s", d)
			}
		}
	}
	return b.String()
}

// keep writes the run's folder, with its page, where the user asked for it.
func (c *trial) keep() {
	c.t.Helper()
	switch {
	case *flagKeep == "" || fuzzing(): // the engine makes many failing runs before it prints one
		return
	case c.write == nil:
		c.t.Errorf("-sim.keep: this test has no way to keep runs: pass simtest.KeepWith")
		return
	}
	dir := filepath.Join(*flagKeep, c.run.Scenario.Name, strconv.FormatUint(c.run.Seed, 10))
	if err := c.write(dir, c.run); err != nil {
		c.t.Errorf("keeping the run: %v", err)
		return
	}
	c.t.Logf("kept in %s", dir)
}
