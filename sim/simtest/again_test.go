package simtest_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// keeperBug is the environment variable that gives the tests below a keeper with a bug; without it they test
// a correct one. TestPrintedCommandsShowTheFailureAgain runs them with it.
const keeperBug = "KEEPER_BUG"

// buggy makes a subject with the bug that keeperBug names.
func buggy() scenarios.Subject {
	bug := os.Getenv(keeperBug)
	if bug == "" || bug == "hasty" {
		return subject(bug == "hasty")
	}
	return misused{subject(false), bug}
}

// misused is a keeper that breaks a rule for processes.
type misused struct {
	scenarios.Subject
	bug string
}

func (m misused) Builder() scenarios.Builder { return m }

func (m misused) Files(env.MachineID) []scenarios.File { return nil }

func (m misused) Processes(env.MachineID) []scenarios.ProcessSpec {
	return []scenarios.ProcessSpec{{Name: "keeper", New: func() env.Process {
		return &misusedKeeper{bug: m.bug}
	}}}
}

type misusedKeeper struct {
	keeper
	bug string
}

// Step implements env.Process.
func (k *misusedKeeper) Step(ev env.Event) {
	if _, ok := ev.(env.Invoked); ok {
		switch k.bug {
		case "spin":
			for {
			}
		case "block":
			select {}
		case "goroutine":
			// It goes on for some milliseconds, so most of its calls come while other processes run.
			go func() {
				for range 1000 {
					k.env.Send(1, 0, nil)
					time.Sleep(50 * time.Microsecond)
				}
			}()
		case "map":
			for number := range map[byte]bool{0: true, 1: true, 2: true} {
				k.env.Send(1, 0, []byte{number}) // no packet of the keeper, which ignores it
			}
		}
	}
	k.keeper.Step(ev)
}

func TestBuggy(t *testing.T) {
	t.Run("seeds (all)", func(t *testing.T) { simtest.Run(t, roughSeas(), buggy()) })
}

func TestBuggyRandomSeed(t *testing.T) { simtest.One(t, roughSeas(), buggy(), rand.Uint64()) }

func TestBuggyProbes(t *testing.T) {
	s := roughSeas()
	if os.Getenv(keeperBug) == "probes" {
		s.Expect.Probes = []string{"rescue"}
	}
	simtest.Run(t, s, subject(false), simtest.Seeds(2))
}

func FuzzBuggy(f *testing.F) {
	f.Add(uint64(hastySeed))
	f.Fuzz(func(t *testing.T, seed uint64) { simtest.One(t, roughSeas(), buggy(), seed) })
}

var printedCommand = regexp.MustCompile(`(?m)^ +To reproduce: (go test .*)$`)

// TestPrintedCommandsShowTheFailureAgain lets a shell run the command that a failure prints.
func TestPrintedCommandsShowTheFailureAgain(t *testing.T) {
	thorough.Only(t, "each command builds and runs this package's tests again")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell: " + err.Error())
	}
	cases := []struct {
		test, bug string
		args      []string
		shows     string // a regular expression of the failure
		flags     string // a regular expression of the flags of the command
	}{
		{"TestBuggy", "hasty", []string{"-sim.seeds=7-9"}, `register: invalid`, `-sim\.seed=[789]`},
		{"TestBuggy", "map", []string{"-sim.seeds=2-3", "-sim.twice"},
			`the two runs part at event \d+:\s+first: +\S+ n\d/keeper datagram`, `-sim\.seed=2 -sim\.twice`},
		{"TestBuggy", "goroutine", []string{"-sim.seeds=1-2"},
			`env: invalid: env must only be used inside of Start and Step: n\d/keeper called Send`,
			`-sim\.seed=1`},
		{"TestBuggy", "spin", []string{"-sim.seeds=1-2", "-sim.steptimeout=200ms"},
			`stuck: invalid: a step of n\d/keeper did not end within 200ms`,
			`-sim\.seed=1 -sim\.steptimeout=200ms`},
		{"TestBuggy", "block", []string{"-sim.seeds=4-4", "-sim.steptimeout=200ms"},
			`stuck: invalid: a step of n\d/keeper did not end within 200ms`, `-sim\.seed=4`},
		{"TestBuggyRandomSeed", "hasty", []string{"-test.count=30", "-test.failfast"}, `register: invalid`,
			`-sim\.seed=\d+`},
		{"TestBuggyProbes", "probes", nil, `none of 2 seeds reached rescue; run more seeds`,
			`-sim\.seeds=1-2`},
		{"FuzzBuggy", "hasty", nil, `register: invalid`, `-sim\.seed=8`},
		{"FuzzKeeper", "", []string{"-sim.seeds=8-8"}, `register: invalid`, `-sim\.seed=8`},
	}
	for _, c := range cases {
		t.Run(c.test+" "+c.bug, func(t *testing.T) {
			environment := []string{keeperBug + "=" + c.bug}
			if c.bug == "" {
				environment = []string{"KEEPER_HASTY=1"}
			}
			out, passed := runTest(t, c.test, environment, c.args...)
			require.False(t, passed, out)
			require.Regexp(t, c.shows, out)
			found := printedCommand.FindStringSubmatch(out)
			require.NotEmpty(t, found, out)
			require.Regexp(t, c.flags, found[1])
			cmd := exec.Command(sh, "-c", found[1])
			cmd.Env = append(os.Environ(), environment...)
			again, err := cmd.CombinedOutput()
			require.Error(t, err, "the command %s passes: %s", found[1], again)
			require.Regexp(t, c.shows, string(again))
		})
	}
}

// TestSeedsAfterMisuseStillRun: a process that breaks a rule spoils its own run only.
func TestSeedsAfterMisuseStillRun(t *testing.T) {
	thorough.Only(t, "it runs this package's tests again, with steps that never end")
	for bug, args := range map[string][]string{"goroutine": nil, "block": {"-sim.steptimeout=100ms"}} {
		out, passed := runTest(t, "TestBuggy", []string{keeperBug + "=" + bug},
			append(args, "-sim.seeds=1-3")...)
		require.False(t, passed)
		require.Equal(t, 3, strings.Count(out, "invalid, expected valid"), out)
		require.Contains(t, out, "3 seeds invalid: ")
	}
}

// TestNoSuchSeed: a pattern of a seed that is not run would pass without a run.
func TestNoSuchSeed(t *testing.T) {
	out, passed := runTest(t, "TestKeeper$/^seed=77", nil)
	require.False(t, passed)
	require.Regexp(t, `-run "\^TestKeeper\$/\^seed=77\$" matches none of the seeds 1-10; `+
		`choose a seed with -sim\.seed instead`, out)
	out, passed = runTest(t, "TestKeeper$/^seed=7", nil)
	require.True(t, passed, out)
	require.Contains(t, out, "1 seed valid: ")
}
