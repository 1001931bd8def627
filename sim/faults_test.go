package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/nemesis/nemesistest"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestFaultsConform runs the suite that real nodes must pass too. The simulator injects every kind.
func TestFaultsConform(t *testing.T) {
	nemesistest.Run(t, nemesistest.Backend{
		Runner: sim.Runner{},
		Subject: func(t testing.TB, s *scenarios.Scenario) scenarios.Subject {
			subject, err := register.Decode(s)
			require.NoError(t, err)
			return subject
		},
		Unsupported: func(*fault.Fault) string { return "" },
	})
}
