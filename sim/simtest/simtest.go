// Package simtest runs scenarios in the simulator from go test: one subtest for each seed, and
// for each failure one command that runs it again.
//
// The flags -sim.seed, -sim.seeds, -sim.twice and -sim.keep, or the environment variables
// SIM_SEED, SIM_SEEDS, SIM_TWICE and SIM_KEEP, choose what is run. Package simtest prints nothing
// about runs that pass and never decides what right means: the subject's judge does.
package simtest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
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
	flagTwice = flag.Bool("sim.twice", os.Getenv("SIM_TWICE") != "", "run every seed twice and compare the digests")
	flagKeep  = flag.String("sim.keep", os.Getenv("SIM_KEEP"), "keep the runs of failing seeds in this `folder`")
)

// DefaultSeeds is how many seeds Run tries unless told otherwise; half as many with -short.
const DefaultSeeds = 10

// deadlineReserve is how long before the test's deadline no further seed is begun.
const deadlineReserve = 5 * time.Second

// Option changes how Run and One work.
type Option func(*config)

type config struct {
	write func(dir string, run *scenarios.Run) error
}

// KeepWith says how a failing run is written where -sim.keep asks for it. Package simtest does
// not import the reports, so that a test binary holds no more than it needs:
//
//	simtest.KeepWith(func(dir string, run *scenarios.Run) error {
//		_, err := reports.WriteRun(dir, run)
//		return err
//	})
func KeepWith(write func(dir string, run *scenarios.Run) error) Option {
	return func(c *config) { c.write = write }
}

// Run runs a scenario with several seeds, each as a subtest. It fails the ones whose verdict is
// not what the scenario expects.
func Run(t *testing.T, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) {
	t.Helper()
	first, last, err := seeds()
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed <= last; seed++ {
		if deadline, ok := t.Deadline(); ok && time.Until(deadline) < deadlineReserve {
			t.Logf("stopped before the deadline: seeds %d to %d of %d to %d were run", first, seed-1, first, last)
			return
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { One(t, s, subject, seed, opts...) })
	}
}

// One runs a scenario with one seed and fails t unless the verdict is the expected one.
func One(t testing.TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64,
	opts ...Option) *scenarios.Run {
	t.Helper()
	var c config
	for _, o := range opts {
		o(&c)
	}
	run := simulate(t, s, subject, seed)
	t.Attr("sim.scenario", s.Name)
	t.Attr("sim.seed", strconv.FormatUint(seed, 10))
	t.Attr("sim.digest", run.Digest)
	t.Attr("sim.steps", strconv.FormatUint(run.Steps, 10))
	if *flagTwice {
		if again := simulate(t, s, subject, seed); again.Digest != run.Digest {
			t.Errorf("the same seed gave two different runs: %s and %s\n%s", run.Digest, again.Digest, reproduce(t, seed))
		}
	}
	expected := cmp.Or(s.Expect.Verdict, linearizability.Valid.String())
	if got := run.Verdict().String(); got != expected {
		t.Errorf("%s\n%s", describe(run, expected), reproduce(t, seed))
		c.keep(t, run)
	}
	return run
}

func simulate(t testing.TB, s *scenarios.Scenario, subject scenarios.Subject, seed uint64) *scenarios.Run {
	t.Helper()
	options := scenarios.RunOptions{Seed: seed, KeepLogs: *flagKeep != ""}
	run, err := sim.Runner{}.Run(t.Context(), s, subject, options)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func seeds() (first, last uint64, err error) {
	if *flagSeed != "" {
		first, err = strconv.ParseUint(*flagSeed, 0, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("-sim.seed %q is not a number", *flagSeed)
		}
		return first, first, nil
	}
	if *flagSeeds == "" {
		last = DefaultSeeds
		if testing.Short() {
			last /= 2
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
		return 0, 0, fmt.Errorf("-sim.seeds %q: write a range such as 1-200, or a number of seeds", *flagSeeds)
	}
	return first, last, nil
}

func describe(run *scenarios.Run, expected string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s, seed %d: %s, expected %s", run.Scenario.Name, run.Seed, run.Verdict(), expected)
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

func reproduce(t testing.TB, seed uint64) string {
	name, _, _ := strings.Cut(t.Name(), "/seed=")
	pattern := "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	return fmt.Sprintf("To reproduce: go test%s -run '%s' -sim.seed=%d", testedPackage(), pattern, seed)
}

// testedPackage is the import path of the package under test after a space, if the binary knows it.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasSuffix(info.Path, ".test") {
		return ""
	}
	return " " + strings.TrimSuffix(info.Path, ".test")
}

// keep writes the run's folder, with its page, where the user asked for it.
func (c *config) keep(t testing.TB, run *scenarios.Run) {
	t.Helper()
	switch {
	case *flagKeep == "":
		return
	case c.write == nil:
		t.Errorf("-sim.keep: this test does not say how runs are kept: pass simtest.KeepWith")
		return
	}
	dir := filepath.Join(*flagKeep, run.Scenario.Name, strconv.FormatUint(run.Seed, 10))
	if err := c.write(dir, run); err != nil {
		t.Errorf("keeping the run: %v", err)
		return
	}
	t.Logf("kept in %s", dir)
}
