package chaostest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestNeedSkipsUnlessAskedFor(t *testing.T) {
	t.Setenv(Nodes, "")
	passed := t.Run("nodes", func(t *testing.T) {
		Need(t)
		t.Error("not skipped")
	})
	require.True(t, passed)
}

func TestDescribe(t *testing.T) {
	run := &scenarios.Run{Scenario: &scenarios.Scenario{Name: "pause"}, Seed: 3,
		Verdicts: []linearizability.Verdict{
			{Checker: "register", Validity: linearizability.Invalid, Summary: "stale read",
				Details: []string{"read r1"}},
			{Checker: "nodes", Validity: linearizability.Valid, Summary: "on time",
				Details: []string{"left out"}},
		}}
	require.Equal(t, "scenario pause, seed 3, on real nodes: invalid, expected valid\n"+
		"  register: invalid: stale read\n    read r1\n  nodes: valid: on time", Describe(run, "valid"))
}

// stage is a runner without nodes: seed 2 is invalid, seed 4 makes no run, and seed 3 reaches a probe.
type stage struct {
	keepDirs string
	seen     *[]scenarios.RunOptions
}

// Run implements scenarios.Runner.
func (s stage) Run(_ context.Context, sc *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	*s.seen = append(*s.seen, o)
	if s.keepDirs != "" {
		dir := filepath.Join(s.keepDirs, "n1")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "log"), nil,
			0o644)); err != nil {
			return nil, err
		}
	}
	v := linearizability.Verdict{Checker: "stage", Validity: linearizability.Valid,
		Summary: "as the seed says"}
	run := &scenarios.Run{Scenario: sc, Subject: subject, Seed: o.Seed, Backend: "netns",
		Events: []history.Event{{Type: history.Invoke}, {Type: history.OK}}}
	switch o.Seed {
	case 2:
		v.Validity = linearizability.Invalid
	case 3:
		run.Probes = map[string]int{"rescue": 1}
	case 4:
		return nil, errors.New("the stage is on fire")
	}
	run.Verdicts = append(run.Verdicts, v)
	return run, nil
}

// onStage is the environment variable with which TestOnStage fails: it is run by other tests.
const onStage = "CHAOSTEST_STAGE"

// TestOnStage runs seeds on the stage; without the variable only one that passes.
func TestOnStage(t *testing.T) {
	s := &scenarios.Scenario{Name: "staged"}
	seeds := uint64(1)
	if os.Getenv(onStage) != "" {
		require.Equal(t, "1", os.Getenv(Nodes), "real nodes are asked for")
		seeds, s.Expect.Probes = 3, []string{"rescue", "swim"}
	}
	var seen []scenarios.RunOptions
	b := &batch{scenario: s, runner: func(keep string) scenarios.Runner { return stage{keep, &seen} }}
	for _, o := range []Option{Seeds(seeds), KeepWith(func(dir string, run *scenarios.Run) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "page"), []byte(run.Reproduce), 0o644)
	})} {
		o(&b.config)
	}
	run := b.runSeeds(t)
	require.Equal(t, len(seen) == 1, seen[0].Alone, "a single run must reach the expected probes by itself")
	fmt.Println("returned seed", run.Seed)
}

// testOnStage runs TestOnStage in another process.
func testOnStage(t *testing.T, args ...string) (out string, passed bool) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, append([]string{"-test.run=^TestOnStage$", "-test.v"}, args...)...)
	cmd.Env = append(os.Environ(), onStage+"=1", Nodes+"=1")
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

func TestManySeeds(t *testing.T) {
	out, passed := testOnStage(t)
	require.False(t, passed)
	for _, line := range []string{
		"--- PASS: TestOnStage/seed=1", "--- FAIL: TestOnStage/seed=2", "--- PASS: TestOnStage/seed=3",
		"scenario staged, seed 2, on real nodes: invalid, expected valid",
		"3 seeds, 2 valid, 1 invalid: 3 operations (3 ok, 0 failed, 0 unknown), 0 faults, 0 without effect",
		"none of 3 seeds reached swim; run more seeds", "-chaos.seeds=1-3\n", "returned seed 2",
	} {
		require.Contains(t, out, line)
	}
	out, passed = testOnStage(t, "-chaos.seeds=5-6")
	require.False(t, passed, "the probes were not reached")
	require.Contains(t, out, "2 seeds valid: ")
	out, passed = testOnStage(t, "-chaos.seed=5")
	require.True(t, passed, out)
	require.NotContains(t, out, "TestOnStage/seed", "one seed needs no subtest")
	require.Contains(t, out, "1 seed valid: ")
	for flag, want := range map[string]string{"-chaos.seeds=x": `-chaos.seeds "x": write a range`,
		"-chaos.seed=x": `-chaos.seed "x" is not a number`, "-chaos.seed=4": "the stage is on fire",
		"-test.run=TestOnStage/seed=9": "matches none of the seeds 1-3; choose a seed with -chaos.seed " +
			"instead"} {
		out, passed := testOnStage(t, flag)
		require.False(t, passed)
		require.Contains(t, out, want)
	}
}

// TestPrintedCommandShowsTheFailureAgain lets a shell run it: it asks for real nodes itself, because without
// CHAOS_NODES=1 a test would be skipped and pass.
func TestPrintedCommandShowsTheFailureAgain(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell: " + err.Error())
	}
	out, _ := testOnStage(t)
	for _, c := range []struct{ line, shows string }{
		{`(?m)To run again, as root: (CHAOS_NODES=1 go test .* -chaos\.seed=2)$`,
			"stage: invalid: as the seed says"},
		{`(?m)To run again, as root: (CHAOS_NODES=1 go test .* -chaos\.seeds=1-3)$`, "reached swim"},
	} {
		command := regexp.MustCompile(c.line).FindStringSubmatch(out)
		require.NotEmpty(t, command, out)
		cmd := exec.Command(sh, "-c", command[1])
		cmd.Env = append(os.Environ(), Nodes+"=", onStage+"=1")
		again, err := cmd.CombinedOutput()
		require.Error(t, err, "%s passes: %s", command[1], again)
		require.Contains(t, string(again), c.shows)
	}
}

// TestOnlyFailingRunsAreKept: with history, page and machines; also a folder of an earlier run is replaced.
func TestOnlyFailingRunsAreKept(t *testing.T) {
	folder := t.TempDir()
	for range 2 {
		out, _ := testOnStage(t, "-chaos.keep="+folder)
		dir := filepath.Join(folder, "staged", "2")
		require.Contains(t, out, "kept in "+dir)
		require.FileExists(t, filepath.Join(dir, "machines", "n1", "log"))
		page, err := os.ReadFile(filepath.Join(dir, "page"))
		require.NoError(t, err)
		require.Regexp(t, `^CHAOS_NODES=1 go test \S+ -run '\^TestOnStage\$'.* -chaos\.seed=2$`, string(page))
	}
	testOnStage(t, "-chaos.keep="+folder, "-chaos.seed=4")
	entries, err := os.ReadDir(filepath.Join(folder, "staged"))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"2", "4"}, names, "passing runs leave nothing")
	require.FileExists(t, filepath.Join(folder, "staged", "4", "machines", "n1", "log"),
		"a run that could not be made leaves its machines")
}

// TestSeedsOfOptionsAndFlags: a fixed seed comes before flags, flags before a number of seeds.
func TestSeedsOfOptionsAndFlags(t *testing.T) {
	set := func(name, value string) {
		before := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		t.Cleanup(func() { require.NoError(t, flag.Set(name, before)) })
	}
	chosen := func(opts ...Option) string {
		var c config
		for _, o := range opts {
			o(&c)
		}
		seeds, err := c.chosenSeeds()
		require.NoError(t, err)
		return seeds.String()
	}
	set("chaos.seed", "")
	set("chaos.seeds", "")
	require.Equal(t, "1-1", chosen())
	require.Equal(t, "1-4", chosen(Seeds(4)))
	set("chaos.seeds", "7-9")
	require.Equal(t, "7-9", chosen(Seeds(4)))
	set("chaos.seed", "0x10")
	require.Equal(t, "16-16", chosen(Seeds(4)))
	require.Equal(t, "3-3", chosen(Seed(3)))
}
