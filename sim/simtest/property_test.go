package simtest_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
	"github.com/holdfast-sim/holdfast/sim/simtest"
)

// TestDrawnScenarios lets rapid draw the scenario: the number of machines and which of them lose
// their power, and when. When it fails, rapid makes the scenario smaller.
func TestDrawnScenarios(t *testing.T) {
	hasty := os.Getenv("KEEPER_HASTY") != ""
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(1, 4).Draw(t, "machines")
		b := scenarios.New("drawn").Story("Machines lose their power.").Machines(machines).
			Warmup(time.Second).Duration(20*time.Second).Quiescence(10*time.Second).
			Workload(workload.Spec{Operations: 60, Keys: 2}).Subject("keeper", nil)
		cuts := rapid.IntRange(0, 4).Draw(t, "cuts")
		for i := range cuts {
			machine := fmt.Sprintf("n%d", rapid.IntRange(1, machines).Draw(t, "machine"))
			b.At(time.Duration(4*i+1) * time.Second).PowerCut(machine).For(2 * time.Second)
		}
		simtest.One(t, b.MustBuild(), subject(hasty), rapid.Uint64Range(1, 1<<16).Draw(t, "seed"))
	})
}

// TestPropertyFailureShowsTheScenario: a property test reproduces its failures in its own way, and
// simtest adds the scenario and the seed that it drew.
func TestPropertyFailureShowsTheScenario(t *testing.T) {
	out, passed := runTest(t, "TestDrawnScenarios", []string{"KEEPER_HASTY=1"},
		"-rapid.nofailfile", "-rapid.shrinktime=100ms", "-rapid.seed=1")
	require.False(t, passed, "the planted bug was not found")
	require.Regexp(t, `register: invalid: `, out)
	require.Regexp(t, `Seed \d+ of this scenario:\n +name: drawn\n`, out)
	require.Contains(t, out, "kind: power")
	require.Contains(t, out, "-rapid.seed=1", "rapid prints the command")
	require.NotContains(t, out, "-sim.seed")
}

// bare is the least that simtest needs of a test. It has no subtests and no context.
type bare struct {
	text  strings.Builder
	fatal bool
}

func (b *bare) Helper()                   {}
func (b *bare) Name() string              { return "bare" }
func (b *bare) Logf(f string, a ...any)   { fmt.Fprintf(&b.text, f+"\n", a...) }
func (b *bare) Errorf(f string, a ...any) { b.Logf(f, a...) }
func (b *bare) Fatalf(f string, a ...any) { b.fatal = true; b.Logf(f, a...); panic(stopNow{}) }

func TestRunWithoutSubtestsStopsAtTheFirstFailure(t *testing.T) {
	var b bare
	simtest.Run(&b, roughSeas(), subject(false))
	require.Regexp(t,
		`^(10 seeds valid: 2|5 seeds valid: 1),\d+ operations \(.*\), \d+ faults, \d+ without effect\n$`,
		b.text.String())
	simtest.Run(&b, roughSeas(), subject(true))
	require.Equal(t, 1, strings.Count(b.text.String(), "invalid, expected valid"))
	require.Contains(t, b.text.String(), "Seed 1 of this scenario:\nname: rough-seas\n")
	require.Contains(t, b.text.String(), "1 seed invalid: ")
	require.False(t, b.fatal)
}

func FuzzKeeper(f *testing.F) {
	simtest.Fuzz(f, roughSeas(), subject(os.Getenv("KEEPER_HASTY") != ""))
}

var fuzzCommand = regexp.MustCompile(
	`To reproduce: go test \S+ -run '\^FuzzKeeper\$' (-sim\.seed=\d+)( -sim\.draws=[0-9a-f]+)?\n`)

// TestFuzzFailureEndsWithTheCommandThatRepeatsIt runs the command, with and without replaced draws.
func TestFuzzFailureEndsWithTheCommandThatRepeatsIt(t *testing.T) {
	thorough.Only(t, "it runs this package's tests several times")
	hasty := []string{"KEEPER_HASTY=1"}
	for _, args := range [][]string{nil, {"-sim.draws=00000100" + "03010500"}} {
		out, passed := runTest(t, "FuzzKeeper", hasty, args...)
		require.False(t, passed)
		command := fuzzCommand.FindStringSubmatch(out)
		require.NotEmpty(t, command, out)
		require.Equal(t, args != nil, command[2] != "")
		again, passed := runTest(t, "FuzzKeeper", hasty,
			append(strings.Fields(command[2]), command[1])...)
		require.False(t, passed)
		require.Contains(t, out, violation(t, again))
		require.Equal(t, 1, strings.Count(again, "--- FAIL: FuzzKeeper/"), again)
	}
	_, passed := runTest(t, "FuzzKeeper", nil)
	require.True(t, passed)
	out, passed := runTest(t, "FuzzKeeper", nil, "-sim.draws=xyz")
	require.False(t, passed)
	require.Contains(t, out, `-sim.draws "xyz" is not hexadecimal`)
}

// TestOverridesReachTheNemesis: every replacement replaces a draw that is made, with a value in its range,
// and all draws can be replaced; with every draw of "occurs" replaced by 0 there are no faults.
func TestOverridesReachTheNemesis(t *testing.T) {
	s, sub := roughSeas(), subject(false)
	type place struct {
		label string
		index uint64
	}
	made, ranges := map[place]bool{}, map[place]uint64{}
	drawn := map[string]uint64{}
	scenarios.Expand(s, nil, func(stream, label string) draw.Chooser {
		require.Equal(t, scenarios.NemesisStream, stream)
		return noting(func(n uint64) uint64 {
			at := place{label, drawn[label]}
			made[at], ranges[at] = true, n
			drawn[label]++
			return 0
		})
	})
	var all []byte
	for list := range 9 {
		for index := range 256 {
			all = append(all, byte(list), byte(index), 0xff, 0xff)
		}
	}
	reached := map[place]bool{}
	for len(all) > 0 {
		for _, o := range simtest.Overrides(all[:4], s, sub) {
			at := place{o.Label, o.Index}
			require.True(t, made[at], "%v is never drawn", o)
			require.Equal(t, ranges[at]-1, o.Value, "the largest share gives the largest value of %v", o)
			reached[at] = true
		}
		all = all[4:]
	}
	require.Len(t, reached, len(made))

	var quiet []byte
	for slot := range 40 {
		quiet = append(quiet, 0, byte(slot), 0, 0)
	}
	overrides := simtest.Overrides(quiet[:len(quiet)-2], s, sub) // what is missing is zero
	require.Len(t, overrides, 40)
	require.Empty(t, scenarios.Expand(s, nil, draw.DeriveWith(1, overrides)))
	require.Len(t, simtest.Overrides(make([]byte, 1<<16), s, sub), 256)
	s.Nemesis = nil
	require.Empty(t, simtest.Overrides(quiet, s, sub), "there is nothing to replace")
}

// TestInputsOfAFuzzTest: the seed and the replacements of an input are read back, also of a short one.
func TestInputsOfAFuzzTest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, draws := rapid.Uint64().Draw(t, "seed"), rapid.SliceOf(rapid.Byte()).Draw(t, "draws")
		gotSeed, gotDraws := simtest.SplitInput(simtest.InputOf(seed, draws))
		require.Equal(t, seed, gotSeed)
		require.Equal(t, hex.EncodeToString(draws), hex.EncodeToString(gotDraws))
	})
	seed, draws := simtest.SplitInput([]byte{7, 1})
	require.EqualValues(t, 7+256, seed)
	require.Empty(t, draws)
}

// noting is a list that a function draws from.
type noting func(n uint64) uint64

func (f noting) Choose(n uint64) uint64 { return f(n) }
