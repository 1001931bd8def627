package canary_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/canary"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestEverySeedIsInvalid: a campaign may run it with any seed.
func TestEverySeedIsInvalid(t *testing.T) {
	for seed := range uint64(20) {
		s, subject := canary.Scenario()
		require.NoError(t, s.Validate())
		run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: seed})
		require.NoError(t, err)
		require.Equal(t, linearizability.Invalid, run.Verdict(), "seed %d", seed)
	}
}
