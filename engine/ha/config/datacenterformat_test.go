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
		dc.Decisions = rapid.SampledFrom([]ha.Decisions{ha.DecisionsStrict, ha.DecisionsUpstream}).Draw(t,
			"decisions")
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

// TestDatacenterProblems: values that exist, keys of other programs and empty entries are no problems.
func TestDatacenterProblems(t *testing.T) {
	require.Empty(t, DatacenterProblems("# ha: shutdown_policy=x\nkeyboard: de\n"+
		"ha: shutdown_policy=migrate,decisions=upstream\n"+
		"crs: static\ncrs:\nfencing: both\nbwlimit: clone=10\nha:\n"+
		FormatDatacenter(ha.DefaultDatacenter())))
	require.Equal(t, []Problem{
		{1, `shutdown_policy: "migrte" is none of conditional, freeze, failover, migrate`},
		{2, `crs: ha: "statik" is none of basic, static, dynamic`},
		{2, `ha-auto-rebalance-method: "x" is none of bruteforce, topsis`},
		{3, `fencing: "hw" is none of watchdog, hardware, both`},
		{4, `max_workers: "many" is not a number from 0`},
		{6, `decisions: "loose" is none of strict, upstream`},
	}, DatacenterProblems("ha: shutdown_policy=migrte\r\ncrs: ha=statik,ha-auto-rebalance-method=x\n"+
		"fencing: hw\n"+
		"max_workers: many\nkeyboard: de\nha: decisions=loose\n"))
}
