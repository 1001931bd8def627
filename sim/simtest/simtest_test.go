package simtest_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// keeperTest runs TestKeeper alone in another process, with flags and environment, and returns
// what it printed.
func keeperTest(t *testing.T, environment []string, args ...string) (output string, passed bool) {
	t.Helper()
	return runTest(t, "TestKeeper", environment, args...)
}

// runTest runs one test or fuzz test of this package as keeperTest does.
func runTest(t *testing.T, name string, environment []string, args ...string) (output string, passed bool) {
	t.Helper()
	return runTestIn(t, "", name, environment, args...)
}

// runTestIn is runTest in a folder, "" for that of the package.
func runTestIn(t *testing.T, dir, name string, environment []string, args ...string) (output string,
	passed bool) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, append([]string{"-test.run=^" + name + "$", "-test.v"}, args...)...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SIM_") && !strings.HasPrefix(v, "KEEPER_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, environment...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

var seedRun = regexp.MustCompile(`(?m)^=== RUN +Test\w+/seed=(\d+)$`)

// seedsIn lists the seeds that an output of go test speaks of, in order.
func seedsIn(output string) string {
	var seeds []string
	for _, match := range seedRun.FindAllStringSubmatch(output, -1) {
		seeds = append(seeds, match[1])
	}
	return strings.Join(seeds, " ")
}

func TestSeedsAreChosenByFlagsAndEnvironment(t *testing.T) {
	for _, c := range []struct {
		environment, args []string
		want              string
	}{
		{nil, nil, "1 2 3 4 5 6 7 8 9 10"},
		{nil, []string{"-test.short"}, "1 2 3 4 5"},
		{nil, []string{"-sim.seed=7"}, "7"},
		{nil, []string{"-sim.seed=0x10"}, "16"},
		{nil, []string{"-sim.seeds=3-5"}, "3 4 5"},
		{nil, []string{"-sim.seeds=2"}, "1 2"},
		{nil, []string{"-sim.seeds=3-5", "-sim.seed=9"}, "9"},
		{[]string{"SIM_SEED=12"}, nil, "12"},
		{[]string{"SIM_SEEDS=8-9"}, nil, "8 9"},
		{[]string{"SIM_SEEDS=8-9"}, []string{"-sim.seeds=4-4"}, "4"},
		{[]string{"SIM_TWICE=1"}, []string{"-sim.seed=2"}, "2"},
	} {
		out, passed := keeperTest(t, c.environment, c.args...)
		require.True(t, passed, out)
		require.Equal(t, c.want, seedsIn(out), "%v %v", c.environment, c.args)
	}
}

// TestThreeSeeds is run by TestFewerSeedsForAnExpensiveScenario.
func TestThreeSeeds(t *testing.T) { simtest.Run(t, roughSeas(), subject(false), simtest.Seeds(3)) }

// TestFewerSeedsForAnExpensiveScenario sets the number of seeds in the test; a flag still decides.
func TestFewerSeedsForAnExpensiveScenario(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{{nil, "1 2 3"}, {[]string{"-test.short"}, "1"}, {[]string{"-sim.seeds=4-5"}, "4 5"}} {
		out, passed := runTest(t, "TestThreeSeeds", nil, c.args...)
		require.True(t, passed, out)
		require.Equal(t, c.want, seedsIn(out), "%v", c.args)
	}
}

func TestInvalidSeedsAreRefused(t *testing.T) {
	for flags, want := range map[string]string{
		"-sim.seed=x":    `-sim.seed "x" is not a number`,
		"-sim.seeds=5-3": `-sim.seeds "5-3": write a range such as 1-200, or a number of seeds`,
		"-sim.seeds=-":   `-sim.seeds "-": write a range`,
	} {
		out, passed := keeperTest(t, nil, flags)
		require.False(t, passed)
		require.Contains(t, out, want)
		require.Empty(t, seedsIn(out))
	}
}

// TestNoSeedStartsShortlyBeforeTheDeadline gives a test more seeds than it has time for.
func TestNoSeedStartsShortlyBeforeTheDeadline(t *testing.T) {
	out, passed := keeperTest(t, nil, "-sim.seeds=1-1000000", "-test.timeout=5500ms")
	require.True(t, passed, out)
	require.Regexp(t, `stopped before the deadline: seeds 1 to \d+ of 1 to 1000000 were run`, out)
	require.NotEmpty(t, seedsIn(out))
}

// hastySeed is a seed that shows the hasty keeper's bug.
const hastySeed = 8

// TestFailureEndsWithTheCommandThatRepeatsIt runs the command that a failure prints, and gets the
// same failure again.
func TestFailureEndsWithTheCommandThatRepeatsIt(t *testing.T) {
	hasty := []string{"KEEPER_HASTY=1"}
	all, passed := keeperTest(t, hasty)
	require.False(t, passed, "the planted bug was not found")
	command := regexp.MustCompile(
		`(?m)^ +To reproduce: go test github.com/holdfast-sim/holdfast/sim/simtest -run '(.*)' (-sim\.seed=\d+)$`).FindStringSubmatch(all)
	require.NotEmpty(t, command, all)
	require.Equal(t, "^TestKeeper$", command[1])
	again, passed := keeperTest(t, hasty, command[2])
	require.False(t, passed)
	require.Contains(t, all, violation(t, again))
	fixed, passed := keeperTest(t, nil, command[2])
	require.True(t, passed, fixed)
}

// violation returns the line of a failure with the violation.
func violation(t *testing.T, output string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^ +register: invalid: .*$`).FindString(output)
	require.NotEmpty(t, line, output)
	return line
}

// recorder is a testing.TB that only remembers.
type recorder struct {
	testing.TB
	text   strings.Builder
	failed bool
	fatal  bool
	run    *scenarios.Run // what One returned
}

type stopNow struct{}

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return "TestMine/of five/seed=3" }
func (r *recorder) Logf(f string, a ...any)   { fmt.Fprintf(&r.text, f+"\n", a...) }
func (r *recorder) Errorf(f string, a ...any) { r.failed = true; r.Logf(f, a...) }
func (r *recorder) Fatalf(f string, a ...any) {
	r.fatal = true
	r.Errorf(f, a...)
	panic(stopNow{})
}

// one runs a seed with flags set and returns what the test would have seen.
func one(t *testing.T, s *scenarios.Scenario, sub scenarios.Subject, seed uint64, flags map[string]string,
	opts ...simtest.Option) *recorder {
	t.Helper()
	for _, name := range []string{"sim.twice", "sim.keep", "sim.shrink"} {
		value, ok := flags[name]
		if !ok {
			value = map[string]string{"sim.twice": "false"}[name]
		}
		before := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		t.Cleanup(func() { require.NoError(t, flag.Set(name, before)) })
	}
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(stopNow{}) {
				panic(p)
			}
		}()
		r.run = simtest.One(r, s, sub, seed, opts...)
	}()
	return r
}

func TestFailureText(t *testing.T) {
	r := one(t, roughSeas(), subject(true), hastySeed, nil)
	require.True(t, r.failed)
	lines := strings.Split(strings.TrimSpace(r.text.String()), "\n")
	require.Regexp(t, `^1 seed invalid: \d+ operations \(\d+ ok, \d+ failed, \d+ unknown\), \d+ faults`,
		lines[0])
	require.Equal(t, "scenario rough-seas, seed 8: invalid, expected valid", lines[1])
	require.Contains(t, lines[2], "register: invalid: no order of the operations explains the answers")
	short := map[bool]string{true: " -short"}[testing.Short()]
	command := "go test github.com/holdfast-sim/holdfast/sim/simtest -run '^TestMine$/^of five$'" + short +
		" -sim.seed=8"
	require.Equal(t, "To reproduce: "+command, lines[len(lines)-1])
	require.Equal(t, command, r.run.Reproduce, "the page has the command as well")
	require.NotContains(t, r.text.String(), "recovery", "only what failed is told")
	require.False(t, one(t, roughSeas(), subject(false), hastySeed, nil).failed)
}

func TestExpectedViolation(t *testing.T) {
	s := roughSeas()
	s.Expect.Verdict = "invalid"
	require.False(t, one(t, s, subject(true), hastySeed, nil).failed)
	r := one(t, s, subject(false), hastySeed, nil)
	require.True(t, r.failed)
	require.Contains(t, r.text.String(), "scenario rough-seas, seed 8: valid, expected invalid")
}

// lives is what a correct process must not have: memory beyond the run.
var lives int

type forgetless struct{ keeper }

func (f *forgetless) Start(e env.Env) error {
	lives++
	e.Log().Debug("another life")
	e.SetTimer(7, time.Duration(lives)*time.Microsecond)
	return f.keeper.Start(e)
}

type unsteady struct{ scenarios.Subject }

func (u unsteady) Builder() scenarios.Builder { return u }

func (u unsteady) Files(env.MachineID) []scenarios.File { return nil }

func (u unsteady) Processes(env.MachineID) []scenarios.ProcessSpec {
	return []scenarios.ProcessSpec{{Name: "keeper", New: func() env.Process { return &forgetless{} }}}
}

func TestTwiceFindsRunsThatDiffer(t *testing.T) {
	r := one(t, roughSeas(), unsteady{subject(false)}, 1, map[string]string{"sim.twice": "true"})
	require.True(t, r.failed)
	require.Regexp(t, `the same seed gave two different runs: [0-9a-f]{64} and [0-9a-f]{64}`, r.text.String())
	require.Contains(t, r.text.String(), "-sim.seed=1 -sim.twice\n", "without -sim.twice the command passes")
	require.Regexp(t,
		`the two runs part at event \d+:\n  first:  \S+ n\d/keeper .*\n  second: \S+ n\d/keeper `,
		r.text.String())
	require.False(t, one(t, roughSeas(), subject(false), 1, map[string]string{"sim.twice": "true"}).failed)
}

// TestAFailureIsMadeSmall: of faults every few seconds and 200 operations hardly anything is needed.
func TestAFailureIsMadeSmall(t *testing.T) {
	seconds := map[string]string{"sim.shrink": "30s"}
	r := one(t, roughSeas(), subject(true), hastySeed, seconds)
	require.True(t, r.failed)
	require.Regexp(t,
		`left after \d+ attempts: faults 1, operations 1, machines 1; with seed \d+, register: `,
		r.text.String())
	require.Contains(t, r.text.String(), "name: rough-seas\n")

	decoded := 0
	decode := simtest.DecodeWith(func(*scenarios.Scenario) (scenarios.Subject, error) {
		decoded++
		return subject(true), nil
	})
	r = one(t, roughSeas(), subject(true), hastySeed, seconds, decode)
	require.Contains(t, r.text.String(), "left after ")
	require.Positive(t, decoded)

	require.NotContains(t, one(t, roughSeas(), subject(false), 1, seconds).text.String(), "left after")
	r = one(t, roughSeas(), subject(true), hastySeed, map[string]string{"sim.shrink": "soon"})
	require.Contains(t, r.text.String(), `-sim.shrink "soon" is no duration such as 30s`)
}

func TestFailingRunsAreKept(t *testing.T) {
	folder := t.TempDir()
	keep := map[string]string{"sim.keep": folder}
	var got *scenarios.Run
	write := simtest.KeepWith(func(dir string, run *scenarios.Run) error {
		got = run
		require.Equal(t, filepath.Join(folder, "rough-seas", "8"), dir)
		return nil
	})
	require.False(t, one(t, roughSeas(), subject(false), hastySeed, keep, write).failed)
	require.Nil(t, got, "a run that passed was kept")

	r := one(t, roughSeas(), subject(true), hastySeed, keep, write)
	require.NotNil(t, got)
	require.NotEmpty(t, got.Logs, "logs are part of what is kept")
	require.Contains(t, got.Reproduce, "-sim.seed=8")
	require.Contains(t, r.text.String(), "kept in "+filepath.Join(folder, "rough-seas", "8"))

	r = one(t, roughSeas(), subject(true), hastySeed, keep)
	require.Contains(t, r.text.String(), "-sim.keep: this test has no way to keep runs: pass "+
		"simtest.KeepWith")

	got = nil
	keepAny := simtest.KeepWith(func(_ string, run *scenarios.Run) error { got = run; return nil })
	r = one(t, roughSeas(), unsteady{subject(false)}, 1, map[string]string{"sim.keep": folder,
		"sim.twice": "true"},
		keepAny)
	require.True(t, r.failed)
	require.NotNil(t, got, "a run that differs from its repetition was not kept")
	require.Regexp(t, ` -sim\.seed=1 -sim\.twice$`, got.Reproduce)
	require.True(t, slices.ContainsFunc(got.Logs, func(l scenarios.LogLine) bool {
		return l.Level == "DEBUG" && l.Text == "another life"
	}), "debug lines are kept")

	full := simtest.KeepWith(func(string, *scenarios.Run) error { return errors.New("disk full") })
	r = one(t, roughSeas(), subject(true), hastySeed, keep, full)
	require.Contains(t, r.text.String(), "keeping the run: disk full")
}

// driverOnly is a subject that has no processes for the simulator.
type driverOnly struct{ scenarios.Subject }

func (driverOnly) Builder() scenarios.Builder { return nil }

func TestSubjectWithoutProcesses(t *testing.T) {
	r := one(t, roughSeas(), driverOnly{subject(false)}, 1, nil)
	require.True(t, r.fatal)
	require.Contains(t, r.text.String(), "subject does not run in the simulator")
}
