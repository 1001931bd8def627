// Package simtest runs scenarios in the simulator from go test. Each failure ends with one command
// that runs it again.
//
// What to use when:
//
//   - [Run] runs a scenario with several seeds, each as a subtest: the usual test.
//   - [One] runs it with one seed and returns the run, for a test that looks into it, or for a
//     property test: t may be a *rapid.T that draws the scenario.
//   - [Fuzz] lets go test -fuzz choose the seed and single draws of the nemesis.
//   - [KeepWith] writes a failing run's folder, with its page, where -sim.keep asks for it.
//
// The flags -sim.seed, -sim.seeds, -sim.twice, -sim.keep and -sim.draws, or the environment variables
// SIM_SEED, SIM_SEEDS, SIM_TWICE, SIM_KEEP and SIM_DRAWS, choose what is run.
//
// Package simtest prints nothing about runs that pass and never decides what right means: the
// subject's judge does.
package simtest

import (
	"cmp"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim"
)

var (
	flagSeed  = flag.String("sim.seed", os.Getenv("SIM_SEED"), "run this `seed` only")
	flagSeeds = flag.String("sim.seeds", os.Getenv("SIM_SEEDS"), "run these seeds, as in `1-200`")
	flagTwice = flag.Bool("sim.twice", os.Getenv("SIM_TWICE") != "",
		"run every seed twice and compare the digests")
	flagKeep = flag.String("sim.keep", os.Getenv("SIM_KEEP"),
		"keep the runs of failing seeds in this `folder`")
	flagDraws = flag.String("sim.draws", os.Getenv("SIM_DRAWS"),
		"replace draws of the nemesis by `hex`, as printed by a failure of Fuzz")
)

// TB is what this package needs of a test. *testing.T, *testing.B and *rapid.T have it.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// DefaultSeeds is how many seeds Run tries without a flag; with -short it tries half as many.
const DefaultSeeds = 10

// deadlineReserve is how long before the test's deadline no further seed is begun.
const deadlineReserve = 5 * time.Second

// Option changes how Run and One work.
type Option func(*config)

type config struct {
	write func(dir string, run *scenarios.Run) error
	seeds uint64 // without a flag; 0: DefaultSeeds
}

// Seeds sets how many seeds Run tries without a flag, counted from 1; with -short it tries half as many,
// but at least one. It is for expensive scenarios: -sim.seeds still asks for more.
func Seeds(count uint64) Option {
	return func(c *config) { c.seeds = count }
}

// KeepWith sets how a failing run is written where -sim.keep asks for it. Package simtest does
// not import the reports, so that a test binary holds no more than it needs:
//
//	simtest.KeepWith(func(dir string, run *scenarios.Run) error {
//		_, err := reports.WriteRun(dir, run)
//		return err
//	})
func KeepWith(write func(dir string, run *scenarios.Run) error) Option {
	return func(c *config) { c.write = write }
}

// Run runs a scenario with several seeds, each as a subtest, and fails those whose verdict is not
// what the scenario expects. Under a TB that has no subtests it stops at the first seed that fails.
func Run(t TB, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) {
	t.Helper()
	first, last, err := seeds(opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for seed := first; seed <= last; seed++ {
		if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
			if deadline, ok := d.Deadline(); ok && time.Until(deadline) < deadlineReserve {
				t.Logf("stopped before the deadline: seeds %d to %d of %d to %d were run", first, seed-1,
					first, last)
				return
			}
		}
		if parent, ok := t.(*testing.T); ok {
			parent.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { One(t, s, subject, seed, opts...) })
		} else if !newTrial(t, s, subject, seed, opts).judge() {
			return
		}
	}
}

// One runs a scenario with one seed and fails t unless the verdict is the expected one.
func One(t TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64, opts ...Option) *scenarios.Run {
	t.Helper()
	trial := newTrial(t, s, subject, seed, opts)
	trial.judge()
	return trial.run
}

// trial is one seed of a test.
type trial struct {
	config
	t        TB
	scenario *scenarios.Scenario
	subject  scenarios.Subject
	seed     uint64
	draws    []byte // what replaces draws of the nemesis; see overrides
	run      *scenarios.Run
}

func newTrial(t TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64, opts []Option) *trial {
	t.Helper()
	draws, err := hex.DecodeString(*flagDraws)
	if err != nil {
		t.Fatalf("-sim.draws %q is not hexadecimal: give what a failure printed", *flagDraws)
	}
	trial := &trial{t: t, scenario: s, subject: subject, seed: seed, draws: draws}
	for _, o := range opts {
		o(&trial.config)
	}
	return trial
}

// judge runs the trial and reports whether it came out as expected.
func (c *trial) judge() bool {
	c.t.Helper()
	c.run = c.simulate()
	c.attributes()
	passed := true
	if *flagTwice {
		if again := c.simulate(); again.Digest != c.run.Digest {
			c.t.Errorf("the same seed gave two different runs: %s and %s\n%s",
				c.run.Digest, again.Digest, c.reproduce(" -sim.twice"))
			passed = false
		}
	}
	expected := cmp.Or(c.scenario.Expect.Verdict, linearizability.Valid.String())
	if got := c.run.Verdict().String(); got != expected {
		c.t.Errorf("%s\n%s", describe(c.run, expected), c.reproduce(""))
		c.keep()
		passed = false
	}
	return passed
}

func (c *trial) simulate() *scenarios.Run {
	c.t.Helper()
	ctx := context.Background()
	if with, ok := c.t.(interface{ Context() context.Context }); ok {
		ctx = with.Context()
	}
	options := scenarios.RunOptions{Seed: c.seed, KeepLogs: *flagKeep != "", Overrides: overrides(c.draws)}
	run, err := sim.Runner{}.Run(ctx, c.scenario, c.subject, options)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	return run
}

// attributes attaches what identifies the run to the test's output for programs.
func (c *trial) attributes() {
	t, ok := c.t.(interface{ Attr(key, value string) })
	if !ok {
		return
	}
	t.Attr("sim.scenario", c.scenario.Name)
	t.Attr("sim.seed", strconv.FormatUint(c.seed, 10))
	t.Attr("sim.digest", c.run.Digest)
	t.Attr("sim.steps", strconv.FormatUint(c.run.Steps, 10))
}

// seeds returns the first and the last seed that flags and options ask for; flags win.
func seeds(opts []Option) (first, last uint64, err error) {
	if *flagSeed != "" {
		first, err = strconv.ParseUint(*flagSeed, 0, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("-sim.seed %q is not a number", *flagSeed)
		}
		return first, first, nil
	}
	if *flagSeeds == "" {
		var c config
		for _, o := range opts {
			o(&c)
		}
		last = cmp.Or(c.seeds, DefaultSeeds)
		if testing.Short() {
			last = max(1, last/2)
		}
		return 1, last, nil
	}
	from, to, isRange := strings.Cut(*flagSeeds, "-")
	if !isRange {
		from, to = "1", from
	}
	first, err1 := strconv.ParseUint(from, 0, 64)
	last, err2 := strconv.ParseUint(to, 0, 64)
	if err1 != nil || err2 != nil || last < first {
		return 0, 0, fmt.Errorf("-sim.seeds %q: write a range such as 1-200, or a number of seeds",
			*flagSeeds)
	}
	return first, last, nil
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
	case *flagKeep == "":
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
