package totem_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// stallDisk makes a node wait at its next change of the disk: from there on no node hears from it, and it
// does nothing more.
func (c *cluster) stallDisk(i int, silent []bool) {
	c.w.DiskOf(env.MachineID(i)).Fail = func(string, string) error {
		silent[i] = true
		c.w.Pause(c.envs[i])
		return nil
	}
}

// TestStalledDisksDoNotHoldUpARing: however many disks stall, the other nodes have a ring after the time that
// one failed node costs.
func TestStalledDisksDoNotHoldUpARing(t *testing.T) {
	timers := DefaultTimers(testToken)
	for _, c := range []struct {
		name   string
		change func(*cluster)
		within time.Duration
		ring   []int
	}{
		{"a new ring is asked for", func(c *cluster) { c.procs[6].node.Reform() }, timers.Consensus,
			[]int{3, 4, 5, 6}},
		{"a node fails", func(c *cluster) { c.kill(6) }, timers.Token + timers.Consensus, []int{3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newCluster(t, 7)
			silent := make([]bool, 7)
			x.w.Deliver = func(from, _ env.MachineID, _ string, _ []byte) bool { return !silent[from] }
			x.bootAll()
			x.w.RunFor(2 * time.Second)
			require.True(t, x.oneRing(0, 1, 2, 3, 4, 5, 6))
			for i := range 3 {
				x.stallDisk(i, silent)
			}
			x.w.RunFor(2 * time.Second)
			require.True(t, x.oneRing(0, 1, 2, 3, 4, 5, 6), "a ring that stays needs no disk")
			c.change(x)
			x.w.RunFor(c.within + 200*time.Millisecond)
			require.True(t, x.oneRing(c.ring...))
		})
	}
}

// TestANodeWithAFailingDiskProposesNothing: it leaves before it offers itself as a member.
func TestANodeWithAFailingDiskProposesNothing(t *testing.T) {
	c := newCluster(t, 3)
	c.bootAll()
	c.w.RunFor(2 * time.Second)
	c.w.DiskOf(2).Fail = func(string, string) error { return env.ErrNoSpace }
	c.procs[0].node.Reform()
	c.w.RunFor(50 * time.Millisecond)
	require.ErrorIs(t, c.envs[2].Ended(), env.ErrNoSpace)
	require.True(t, c.oneRing(0, 1), "without waiting for the node that left")
}
