package scenarios_test

import (
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// requireSame compares all that a scenario means: not the file it was read from.
func requireSame(t require.TestingT, want, have *scenarios.Scenario) {
	require.Equal(t, meaning(want), meaning(have))
}

func meaning(s *scenarios.Scenario) scenarios.Scenario {
	m := *s
	m.Subject = scenarios.SubjectSpec{Kind: s.Subject.Kind, Value: s.Subject.Value}
	return m
}
