// Package chaostest runs scenarios on real nodes from go test.
//
// What to use when:
//
//   - [Need] skips a test where real nodes are not asked for or not possible, with the reason and
//     what to do. Call it before work that only real nodes need.
//   - [Build] compiles the program that the machines run; [BuildTo] does it for several tests.
//   - [Run] runs a scenario and fails the test unless the verdict is the expected one.
//   - [Seed], [Seeds], [Timescale] and [KeepWith] are its options.
//
// The flags -chaos.seed, -chaos.seeds and -chaos.keep, or the environment variables CHAOS_SEED,
// CHAOS_SEEDS and CHAOS_KEEP, choose what is run and kept; CHAOS_NODES=1 asks for real nodes at all.
//
// Package chaostest never decides what right means: the subject's judge does.
package chaostest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/testrun"
)

var (
	flagSeed = flag.String("chaos.seed", os.Getenv("CHAOS_SEED"),
		"run this `seed` on real nodes (default 1)")
	flagSeeds = flag.String("chaos.seeds", os.Getenv("CHAOS_SEEDS"),
		"run these seeds, as in `1-20`, one after the other")
	flagKeep = flag.String("chaos.keep", os.Getenv("CHAOS_KEEP"),
		"keep failing runs, with the machines' directories, in this `folder`")
)

// Option changes how Run works.
type Option func(*config)

type config struct {
	timescale timescale.Ratio
	seed      *uint64
	seeds     uint64 // 0: one
	write     func(dir string, run *scenarios.Run) error
}

// Timescale runs the scenario faster or slower.
func Timescale(ts timescale.Ratio) Option { return func(c *config) { c.timescale = ts } }

// Seed replaces the seed of -chaos.seed.
func Seed(seed uint64) Option { return func(c *config) { c.seed = &seed } }

// Seeds sets how many seeds Run tries without a flag, counted from 1; unless given it is one.
func Seeds(count uint64) Option { return func(c *config) { c.seeds = count } }

// KeepWith sets how a failing run is written where -chaos.keep asks for it, as in package simtest, for
// example with reports.WriteRun. The machines' directories are kept beside it in any case.
func KeepWith(write func(dir string, run *scenarios.Run) error) Option {
	return func(c *config) { c.write = write }
}

// chosenSeeds returns the seeds to run: those of the flags before those of options, unless Seed fixes one.
func (c *config) chosenSeeds() (testrun.Seeds, error) {
	switch {
	case c.seed != nil:
		return testrun.Seeds{First: *c.seed, Last: *c.seed}, nil
	case *flagSeed != "":
		seed, err := strconv.ParseUint(*flagSeed, 0, 64)
		if err != nil {
			return testrun.Seeds{}, fmt.Errorf("-chaos.seed %q is not a number", *flagSeed)
		}
		return testrun.Seeds{First: seed, Last: seed}, nil
	case *flagSeeds != "":
		return testrun.ParseSeeds("chaos.seeds", *flagSeeds)
	}
	return testrun.Seeds{First: 1, Last: max(c.seeds, 1)}, nil
}

// Nodes is the environment variable that lets tests use real nodes. Such tests take real time and
// need the processors for themselves, so they do not run among all other tests unless asked for.
const Nodes = "CHAOS_NODES"

// Need skips the test where real nodes are not asked for or not possible.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(Nodes) == "" {
		t.Skipf("%s needs real nodes: set %s=1 and run as root, as make netns-test does", t.Name(), Nodes)
	}
	if err := chaos.Why(); err != nil {
		t.Skipf("%s needs real nodes: %v (it needs root)", t.Name(), err)
	}
}

// Run runs a scenario on real nodes and fails t unless the run ends with the verdict that the scenario
// expects. With several seeds each is a subtest, and Run returns the first run that failed, or else the last
// one. Runs are not parallel to each other: they share this machine's processors, and the times of one would
// be the noise of the other.
func Run(t testing.TB, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) *scenarios.Run {
	t.Helper()
	Need(t)
	b := &batch{scenario: s, subject: subject, runner: func(keepDirs string) scenarios.Runner {
		return chaos.Runner{KeepDirs: keepDirs}
	}}
	for _, o := range opts {
		o(&b.config)
	}
	return b.runSeeds(t)
}

// Describe returns a run's verdicts as text, one line for each, with the details of those that are
// not valid.
func Describe(run *scenarios.Run, expected string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %s, seed %d, on real nodes: %s, expected %s",
		run.Scenario.Name, run.Seed, run.Verdict(), expected)
	for _, v := range run.Verdicts {
		fmt.Fprintf(&b, "\n  %s: %s: %s", v.Checker, v.Validity, v.Summary)
		if v.Validity != linearizability.Valid {
			for _, d := range v.Details {
				fmt.Fprintf(&b, "\n    %s", d)
			}
		}
	}
	return b.String()
}

// Build compiles a command of this module or another, given as for go build, and returns the
// absolute path of the program. It is gone when the test ends.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(pkg))
	if err := BuildTo(program, pkg); err != nil {
		t.Fatal(err)
	}
	return program
}

// BuildTo compiles a command to a path, for tests that share a program.
func BuildTo(program, pkg string) error {
	out, err := exec.Command("go", "build", "-o", program, pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}
