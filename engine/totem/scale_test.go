package totem_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// TestManyNodes boots a large cluster at once, cuts it in the middle and heals it.
func TestManyNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("TestManyNodes: a ring of 32 takes seconds; run without -short")
	}
	const n = 32
	c := newCluster(t, n)
	datagrams, cut := 0, false
	c.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
		datagrams++
		return !cut || (from < n/2) == (to < n/2)
	}
	all, left, right := []int{}, []int{}, []int{}
	for i := range n {
		all = append(all, i)
		if i < n/2 {
			left = append(left, i)
		} else {
			right = append(right, i)
		}
	}
	until := func(done func() bool) time.Duration {
		began := c.w.Now()
		for !done() {
			c.w.RunFor(20 * time.Millisecond)
			require.Less(t, c.w.Now()-began, 30*time.Second)
		}
		return c.w.Now() - began
	}
	c.bootAll()
	took := until(func() bool { return c.oneRing(all...) })
	t.Logf("boot of %d: %v, %d datagrams", n, took, datagrams)
	for i := range n {
		require.NoError(t, c.procs[i].node.Multicast(cpg.Safe, []byte("x")))
	}
	datagrams, cut = 0, true
	took = until(func() bool { return c.oneRing(left...) && c.oneRing(right...) })
	t.Logf("cut in the middle: %v, %d datagrams", took, datagrams)
	datagrams, cut = 0, false
	took = until(func() bool { return c.oneRing(all...) })
	t.Logf("heal: %v, %d datagrams", took, datagrams)
	require.Equal(t, Operational, c.procs[0].node.State())
}
