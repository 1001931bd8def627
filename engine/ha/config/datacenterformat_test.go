package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Any settings that are written are read back unchanged.
func TestFormatDatacenterIsReadBack(t *testing.T) {
	require.Empty(t, FormatDatacenter(ha.DefaultDatacenter()))
	rapid.Check(t, func(t *rapid.T) {
		dc := ha.DefaultDatacenter()
		dc.ShutdownPolicy = rapid.SampledFrom([]ha.ShutdownPolicy{ha.PolicyConditional, ha.PolicyFreeze,
			ha.PolicyFailover, ha.PolicyMigrate}).Draw(t, "policy")
		dc.Decisions = rapid.SampledFrom([]ha.Decisions{ha.DecisionsStrict, ha.DecisionsUpstream}).Draw(t, "decisions")
		dc.CRS.Mode = rapid.SampledFrom([]ha.SchedMode{dc.CRS.Mode, ha.SchedBasic, ha.SchedStatic,
			ha.SchedDynamic}).Draw(t, "mode")
		dc.CRS.RebalanceOnStart = rapid.Bool().Draw(t, "on start")
		dc.CRS.AutoRebalance = rapid.Bool().Draw(t, "automatic")
		dc.CRS.Method = rapid.SampledFrom([]ha.RebalanceMethod{dc.CRS.Method, ha.RebalanceBruteforce,
			ha.RebalanceTopsis}).Draw(t, "method")
		dc.CRS.HoldRounds = rapid.IntRange(0, 20).Draw(t, "hold")
		dc.CRS.Threshold = rapid.Float64Range(0, 1).Draw(t, "threshold")
		dc.CRS.Margin = rapid.Float64Range(0, 1).Draw(t, "margin")
		dc.MaxWorkers = rapid.IntRange(0, 64).Draw(t, "workers")
		got, err := ParseDatacenter(FormatDatacenter(dc))
		require.NoError(t, err)
		require.Equal(t, dc, got)
	})
}
