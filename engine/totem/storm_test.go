package totem_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// TestCutNetworksRest holds that rings under cuts that no single ring can have all nodes under are few, as are the
// datagrams, and that they are gone with the cut.
func TestCutNetworksRest(t *testing.T) {
	for mask := range 1 << 6 { // every way to cut three nodes
		hotRun(t, 3, mask)
	}
	for i := range 40 { // and some ways to cut four
		hotRun(t, 4, i*101+7)
	}
}

func hotRun(t *testing.T, n, mask int) {
	c := newCluster(t, n)
	down := map[[2]env.MachineID]bool{}
	bit := 0
	for a := range env.MachineID(n) {
		for b := range env.MachineID(n) {
			if a != b {
				down[[2]env.MachineID{a, b}] = mask>>bit&1 != 0
				bit++
			}
		}
	}
	cut, datagrams := true, 0
	c.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
		datagrams++
		return !cut || !down[[2]env.MachineID{from, to}]
	}
	c.bootAll()
	const seconds = 20
	c.w.RunFor(seconds * time.Second)
	what := fmt.Sprintf("%d nodes, cut %b", n, mask)
	for i := range c.procs {
		require.LessOrEqual(t, c.procs[i].node.Stats().Rings, uint64(4), what)
	}
	require.Less(t, datagrams, 400*n*seconds/3, what)
	cut = false
	c.w.RunFor(HealBound(c.config(0).Timers, 1, n, c.w.Latency))
	all := []int{0, 1, 2, 3}
	require.True(t, c.oneRing(all[:n]...), what)
}
