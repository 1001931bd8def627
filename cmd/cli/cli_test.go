package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestAsExpected(t *testing.T) {
	run := func(expect string, v linearizability.Validity) linearizability.Validity {
		return asExpected(&scenarios.Run{Scenario: &scenarios.Scenario{Expect: scenarios.Expect{Verdict: expect}},
			Verdicts: []linearizability.Verdict{{Validity: v}}})
	}
	require.Equal(t, linearizability.Valid, run("valid", linearizability.Valid))
	require.Equal(t, linearizability.Invalid, run("valid", linearizability.Invalid))
	require.Equal(t, linearizability.Unknown, run("valid", linearizability.Unknown))
	require.Equal(t, linearizability.Valid, run("invalid", linearizability.Invalid))
	require.Equal(t, linearizability.Invalid, run("invalid", linearizability.Valid))
	require.Equal(t, linearizability.Unknown, run("unknown", linearizability.Unknown), "never a success")
	require.Equal(t, linearizability.Unknown, asExpected(&scenarios.Run{Scenario: &scenarios.Scenario{}}),
		"nothing was checked")
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	at := scenarios.Progress{Phase: "faults", At: 30 * time.Second, End: 2 * time.Minute}
	long := time.Now().Add(-time.Minute)

	p := &progress{out: &out, begin: long, shown: long}
	p.run("pair-cut, seed 7")
	p.report(at)
	p.report(at)
	p.clear()
	require.Equal(t, "pair-cut, seed 7: faults, 30 s of 120 s (24%), running for 1m0s\n", out.String(),
		"one line, and no second one so soon")

	out.Reset()
	p = &progress{out: &out, begin: long, shown: long, live: true}
	p.report(at)
	p.clear()
	p.clear()
	require.Equal(t, "\r\x1b[Kfaults, 30 s of 120 s (24%), running for 1m0s\r\x1b[K", out.String())

	out.Reset()
	p = &progress{out: &out, begin: long, shown: long, quiet: true}
	p.report(at)
	require.Empty(t, out.String())
}

// TestTerminal: output that is not a terminal gets plain lines.
func TestTerminal(t *testing.T) {
	a := &app{Config: Config{Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		Env: func(string) string { return "" }}}
	require.False(t, a.terminal())
	require.False(t, a.color())
}

func TestOneLine(t *testing.T) {
	require.Equal(t, "a [31mb c", oneLine("a\x1b[31mb\nc"))
}
