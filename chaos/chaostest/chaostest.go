// Package chaostest runs scenarios on real nodes from go test.
//
// What to use when:
//
//   - [Need] skips a test where real nodes are not asked for or not possible, with the reason and
//     what to do. Call it before work that only real nodes need.
//   - [Build] compiles the program that the machines run; [BuildTo] does it for several tests.
//   - [Run] runs a scenario once and fails the test unless the verdict is the expected one.
//   - [Seed] and [Timescale] are its options.
//
// The flags -chaos.seed and -chaos.keep, or the environment variables CHAOS_SEED and CHAOS_KEEP,
// choose what is run; CHAOS_NODES=1 asks for real nodes at all.
//
// Package chaostest never decides what right means: the subject's judge does.
package chaostest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

var (
	flagSeed = flag.Uint64("chaos.seed", seedFromEnvironment(), "`seed` of runs on real nodes")
	flagKeep = flag.String("chaos.keep", os.Getenv("CHAOS_KEEP"),
		"keep the machines' directories in this `folder`")
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

// Run runs a scenario once on real nodes and fails t unless the run ends with the verdict that the
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
		t.Errorf("%s\n%s", Describe(run, expected), again(t, c.seed))
	}
	return run
}

// again returns the command that runs a test with a seed once more, on real nodes and as root.
func again(t testing.TB, seed uint64) string {
	return fmt.Sprintf("To run again, as root: %s=1 go test%s -run '^%s$' -chaos.seed=%d", Nodes,
		testedPackage(),
		strings.ReplaceAll(t.Name(), "/", "$/^"), seed)
}

// testedPackage is the import path of the package under test after a space, if the binary knows it.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasSuffix(info.Path, ".test") {
		return ""
	}
	return " " + strings.TrimSuffix(info.Path, ".test")
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
