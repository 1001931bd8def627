package simtest_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// The usual test: several seeds, each a subtest.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestKeeper(t *testing.T)
		simtest.Run(t, roughSeas(), subject(false))
	}
}

// One seed, for a test that looks into the run. A test passes its t.
func ExampleOne() {
	run := simtest.One(&bare{}, roughSeas(), subject(false), 3)
	fmt.Println(run.Verdict())
	for _, v := range run.Verdicts {
		fmt.Println(v.Checker, v.Validity)
	}
	// Output:
	// valid
	// register valid
	// recovery valid
	// progress valid
}

// A property test draws the scenario: whatever the number of machines, the keeper keeps its values.
func ExampleOne_rapid() {
	_ = func(t *testing.T) { // func TestDrawnScenarios(t *testing.T)
		rapid.Check(t, func(t *rapid.T) {
			s := *roughSeas()
			s.Machines = scenarios.Count(rapid.IntRange(1, 7).Draw(t, "machines"))
			simtest.One(t, &s, subject(false), rapid.Uint64().Draw(t, "seed"))
		})
	}
}

// A fuzz test; go test runs the seeds of Run, go test -fuzz looks for more.
func ExampleFuzz() {
	_ = func(f *testing.F) { // func FuzzKeeper(f *testing.F)
		simtest.Fuzz(f, roughSeas(), subject(false))
	}
}

// With -sim.keep=DIR a failing run leaves its folder there. Another writer than this one is, for
// example, reports.WriteRun.
func ExampleKeepWith() {
	_ = func(t *testing.T) { // func TestKeeper(t *testing.T)
		simtest.Run(t, roughSeas(), subject(false), simtest.KeepWith(
			func(dir string, run *scenarios.Run) error {
				fmt.Println(dir, run.Digest)
				return nil
			}))
	}
}
