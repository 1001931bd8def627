package progress

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	at := scenarios.Progress{Phase: "faults", At: 30 * time.Second, End: 2 * time.Minute}
	long := time.Now().Add(-time.Minute)

	p := &Line{out: &out, begin: long, shown: long}
	p.StartRun("pair-cut, seed 7")
	p.Report(at)
	p.Report(at)
	p.Clear()
	require.Equal(t, "pair-cut, seed 7: faults, 30 s of 120 s (24%), running for 1m0s\n", out.String(),
		"one line, and no second one so soon")

	out.Reset()
	p = &Line{out: &out, begin: long, shown: long, live: true}
	p.Report(at)
	p.Clear()
	p.Clear()
	require.Equal(t, "\r\x1b[Kfaults, 30 s of 120 s (24%), running for 1m0s\r\x1b[K", out.String())

	out.Reset()
	p = &Line{out: &out, begin: long, shown: long, quiet: true}
	p.Report(at)
	require.Empty(t, out.String())
}
