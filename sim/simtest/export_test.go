package simtest

import (
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Overrides is for tests.
func Overrides(draws []byte, s *scenarios.Scenario, subject scenarios.Subject) []draw.Override {
	return overridesOf(draws, nemesisLists(s, subject))
}

// ParseSaved is for tests.
func ParseSaved(data []byte, subject scenarios.Subject) (seed uint64, s *scenarios.Scenario, err error) {
	decode := func(*scenarios.Scenario) (scenarios.Subject, error) { return subject, nil }
	parsed, err := parseSavedFailure("f.yaml", data, decode, subject.Kind())
	if err != nil {
		return 0, nil, err
	}
	return parsed.Seed, parsed.scenario, nil
}

// InputOf and SplitInput are for tests.
var (
	InputOf    = inputOf
	SplitInput = splitInput
)
