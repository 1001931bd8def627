// Package chaostest runs scenarios on real nodes from go test. Where real nodes are not possible
// the test is skipped by name, with the reason and what to do.
//
// It never decides what right means: the subject's judge does.
package chaostest

import (
	"cmp"
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
)

var (
	flagSeed = flag.Uint64("chaos.seed", seedFromEnvironment(), "`seed` of runs on real nodes; CHAOS_SEED says the same")
	flagKeep = flag.String("chaos.keep", os.Getenv("CHAOS_KEEP"), "keep the machines' directories of failing runs in this `folder`")
)

func seedFromEnvironment() uint64 {
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 0, 64)
	if err != nil {
		return 1
	}
	return seed
}

// Option changes how Run works.
type Option func(*config)

type config struct {
	timescale timescale.Ratio
	seed      uint64
}

// Timescale runs the scenario faster or slower.
func Timescale(ts timescale.Ratio) Option { return func(c *config) { c.timescale = ts } }

// Seed replaces the seed of -chaos.seed.
func Seed(seed uint64) Option { return func(c *config) { c.seed = seed } }

// Nodes is the environment variable that lets tests use real nodes. They take real time and want
// the processors for themselves, so they do not run among all other tests by themselves.
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

// Run runs a scenario once on real nodes and fails t unless the verdict is the one that the
// scenario expects. Runs are not parallel to each other: they share this machine's processors,
// and the times of one would be the noise of the other.
func Run(t testing.TB, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) *scenarios.Run {
	t.Helper()
	Need(t)
	c := config{seed: *flagSeed}
	for _, o := range opts {
		o(&c)
	}
	runner := chaos.Runner{}
	if *flagKeep != "" {
		runner.KeepDirs = filepath.Join(*flagKeep, s.Name, strconv.FormatUint(c.seed, 10))
	}
	run, err := runner.Run(t.Context(), s, subject,
		scenarios.RunOptions{Seed: c.seed, Timescale: c.timescale, KeepLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Attr("chaos.scenario", s.Name)
	t.Attr("chaos.seed", strconv.FormatUint(c.seed, 10))
	expected := cmp.Or(s.Expect.Verdict, linearizability.Valid.String())
	if got := run.Verdict().String(); got != expected {
		t.Errorf("%s\nTo run again: go test -run '^%s$' -chaos.seed=%d", Describe(run, expected),
			strings.ReplaceAll(t.Name(), "/", "$/^"), c.seed)
	}
	return run
}

// Describe says what came of a run, in several lines.
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
