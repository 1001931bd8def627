package simtest

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Fuzz makes a fuzz test of a scenario. An input is bytes: eight of them are the seed, and every four others
// replace one draw of the nemesis. So the fuzzer can move one fault without changing another, which new seeds
// cannot.
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
	if !fuzzing() && *flagSeed == "" {
		runSavedOf(f, s, subject, opts)
	}
	for seed := seeds.First; ; seed++ {
		if f.Add(inputOf(seed, draws)); seed == seeds.Last {
			break
		}
	}
	lists := nemesisLists(s, subject)
	asked := false // the input that flags ask for was run: a kept input may be the same
	f.Fuzz(func(t *testing.T, input []byte) {
		seed, draws := splitInput(input)
		if *flagSeed != "" {
			if asked || seed != seeds.First || hex.EncodeToString(draws) != *flagDraws {
				t.Skip("-sim.seed asks for another input, or for one that was run")
			}
			asked = true
		}
		trial := newTrial(t, s, subject, seed, opts)
		trial.draws, trial.overrides, trial.fuzzed = draws, overridesOf(draws, lists), true
		trial.judge()
	})
}

// seedBytes is how many bytes of an input are the seed: the others replace draws. The seed is no argument of
// its own, because the engine of go test changes a number by at most a hundred, and would run few seeds.
const seedBytes = 8

// inputOf is the input of a fuzz test with a seed and replacements of draws.
func inputOf(seed uint64, draws []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, seed), draws...)
}

// splitInput returns the seed and the replacements of an input; a short one is filled with zeros.
func splitInput(input []byte) (seed uint64, draws []byte) {
	var head [seedBytes]byte
	n := copy(head[:], input)
	return binary.LittleEndian.Uint64(head[:]), input[n:]
}

const (
	// overrideBytes is the length of one replacement: list, number of the draw, value.
	overrideBytes = 4
	// maxOverrides bounds the replacements of one input; further bytes are ignored.
	maxOverrides = 256
)

// overridesOf reads replacements of draws from bytes. All bytes mean something, so that a fuzzer wastes no
// input: list and number of the draw are taken modulo how many there are, and the value is a share of the
// draw's range. A rest that is too short is filled with zeros.
func overridesOf(draws []byte, lists []drawList) []draw.Override {
	var overrides []draw.Override
	if len(lists) == 0 {
		return nil // no nemesis draws anything
	}
	for len(draws) > 0 && len(overrides) < maxOverrides {
		var one [overrideBytes]byte
		draws = draws[copy(one[:], draws):]
		list := lists[int(one[0])%len(lists)]
		index := int(one[1]) % len(list.ranges)
		share := uint64(binary.LittleEndian.Uint16(one[2:]))
		overrides = append(overrides, draw.Override{Stream: list.stream, Label: list.label,
			Index: uint64(index), Value: share * list.ranges[index] >> 16})
	}
	return overrides
}

// drawList is a list of draws with the range of each.
type drawList struct {
	stream, label string
	ranges        []uint64
}

// Choose implements draw.Chooser: it notes the range, and draws the tamest value.
func (l *drawList) Choose(n uint64) uint64 {
	l.ranges = append(l.ranges, n)
	return 0
}

// nemesisLists are the lists that the scenario's nemesis draws from.
func nemesisLists(s *scenarios.Scenario, subject scenarios.Subject) (lists []drawList) {
	var all []*drawList
	scenarios.Expand(s.WithTimers(scenarios.TimersOf(subject)), nil, func(stream, label string) draw.Chooser {
		for _, l := range all {
			if l.stream == stream && l.label == label {
				return l
			}
		}
		all = append(all, &drawList{stream: stream, label: label})
		return all[len(all)-1]
	})
	for _, l := range all {
		if len(l.ranges) > 0 {
			lists = append(lists, *l)
		}
	}
	return lists
}
