package simtest

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Fuzz makes a fuzz test of a scenario. The fuzzer chooses the seed and, as bytes, values that replace
// single draws of the nemesis: it can move one fault without changing another, which new seeds cannot.
//
// The seeds of [Run] are the first inputs, so that go test without -fuzz runs them. With -sim.seed, and
// -sim.draws, that input alone is run: this is what a failure prints.
func Fuzz(f *testing.F, s *scenarios.Scenario, subject scenarios.Subject, opts ...Option) {
	f.Helper()
	seeds, err := chosenSeeds(opts)
	if err != nil {
		f.Fatal(err)
	}
	draws, err := hex.DecodeString(*flagDraws)
	if err != nil {
		f.Fatalf("-sim.draws %q is not hexadecimal: give what a failure printed", *flagDraws)
	}
	for seed := seeds.First; ; seed++ {
		if f.Add(seed, draws); seed == seeds.Last {
			break
		}
	}
	f.Fuzz(func(t *testing.T, seed uint64, draws []byte) {
		if *flagSeed != "" && (seed != seeds.First || hex.EncodeToString(draws) != *flagDraws) {
			t.Skip("-sim.seed asks for another input")
		}
		trial := newTrial(t, s, subject, seed, opts)
		trial.draws, trial.fuzzed = draws, true
		trial.judge()
	})
}

const (
	// overrideBytes is the length of one replacement: label, number of the draw, value.
	overrideBytes = 4
	// maxOverrides bounds the replacements of one input; further bytes are ignored.
	maxOverrides = 256
)

// overrides reads replacements of the nemesis's draws from bytes. All bytes mean something, so that
// a fuzzer wastes no input; a rest that is too short is ignored.
func overrides(draws []byte) []draw.Override {
	var list []draw.Override
	for ; len(draws) >= overrideBytes && len(list) < maxOverrides; draws = draws[overrideBytes:] {
		list = append(list, draw.Override{
			Stream: scenarios.NemesisStream,
			Label:  nemesisLabels[int(draws[0])%len(nemesisLabels)],
			Index:  uint64(draws[1]),
			Value:  uint64(binary.LittleEndian.Uint16(draws[2:])),
		})
	}
	return list
}

// nemesisLabels are the labels of a nemesis's draws; see [scenarios.Expand].
var nemesisLabels = []string{"occurs", "kind", "at", "length", "first", "others", "amount", "way", "process"}
