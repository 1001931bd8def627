package pve

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestFaultsOfUnknownProcessesAreRefused(t *testing.T) {
	_, _, err := scenarios.Parse("three.yaml", []byte(threeMachines+
		"faults:\n  - {kind: kill, at: 5s, for: 2s, machines: [n2], process: pmxcfs}\n"+
		"subject: {kind: pve}\n"),
		scenarios.Kinds{Kind: Decode})
	require.ErrorContains(t, err,
		`three.yaml:6:60: faults[0].process: n2 has no process "pmxcfs"; write one of `)
	require.ErrorContains(t, err, "store")
	_, _, err = scenarios.Parse("three.yaml", []byte(threeMachines+
		"faults:\n  - {kind: pause, at: 5s, for: 2s, machines: [all], process: stor}\n"+
		"subject: {kind: pve}\n"),
		scenarios.Kinds{Kind: Decode})
	require.ErrorContains(t, err, `n1 has no process "stor"; did you mean "store"?`)
}
