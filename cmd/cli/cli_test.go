package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestAsExpected(t *testing.T) {
	run := func(expect string, v linearizability.Validity) linearizability.Validity {
		return expectationMet(&scenarios.Run{Scenario: &scenarios.Scenario{
			Expect: scenarios.Expect{Verdict: expect}},
			Verdicts: []linearizability.Verdict{{Validity: v}}})
	}
	require.Equal(t, linearizability.Valid, run("valid", linearizability.Valid))
	require.Equal(t, linearizability.Invalid, run("valid", linearizability.Invalid))
	require.Equal(t, linearizability.Unknown, run("valid", linearizability.Unknown))
	require.Equal(t, linearizability.Valid, run("invalid", linearizability.Invalid))
	require.Equal(t, linearizability.Invalid, run("invalid", linearizability.Valid))
	require.Equal(t, linearizability.Unknown, run("unknown", linearizability.Unknown), "never a success")
	require.Equal(t, linearizability.Unknown, expectationMet(&scenarios.Run{Scenario: &scenarios.Scenario{}}),
		"nothing was checked")
}

// TestTerminal: output that is not a terminal gets plain lines.
func TestTerminal(t *testing.T) {
	a := &app{Config: Config{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		Env: func(string) string { return "" }}}
	require.False(t, a.isTerminal())
	require.False(t, a.usesColor())
}

func TestOneLine(t *testing.T) {
	require.Equal(t, "a [31mb c", oneLine("a\x1b[31mb\nc"))
}
