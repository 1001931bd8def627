package harandom_test

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/scenarios/pve/harandom"
)

//go:embed testdata/upstream-logs.txt
var upstreamLogs string

// TestDecisionsEqualThoseOfAnotherManager compares the logs of drawn folders with the logs that Proxmox VE's
// manager writes, of which only the digests are kept. After a change of the draws the list must be made
// again: write the folders with holdfast conformance ha-random --wild --write, and replay them with that
// manager's test cluster.
func TestDecisionsEqualThoseOfAnotherManager(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(upstreamLogs), "\n")[1:]
	require.Greater(t, len(lines), 100)
	for _, line := range lines[:thorough.Count(100, len(lines))] {
		number, want, _ := strings.Cut(line, " ")
		seed, err := strconv.ParseUint(number, 10, 64)
		require.NoError(t, err)
		folder := harandom.Draw(seed, harandom.Wild)
		c, err := conformance.Load(folder.FS(), ".", folder.Name)
		require.NoError(t, err)
		run, err := conformance.Replay(context.Background(), c)
		require.NoError(t, err)
		got := sha256.Sum256([]byte(run.Text()))
		require.Equal(t, want, hex.EncodeToString(got[:]), "seed %d:\n%s", seed, run.Text())
	}
}
