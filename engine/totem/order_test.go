package totem_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
)

// received collects what every node delivers.
func received(c *cluster) [][]string {
	got := make([][]string, len(c.procs))
	c.setup = func(i int, p *testProc) {
		p.onMsg = func(d Delivery) {
			got[i] = append(got[i], fmt.Sprintf("%v/%d from %d %d: %x", d.Ring, d.Ordinal, d.From,
				d.Guarantee, d.Payload))
		}
	}
	return got
}

// TestAnySizesKeepTheirOrderAndBytes sends messages of any size over links of any packet size.
func TestAnySizesKeepTheirOrderAndBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCluster(t, 3)
		mtu := rapid.SampledFrom([]int{MinMTUBytes, 1400, 9000, MaxMTUBytes}).Draw(rt, "mtu")
		c.tune = func(cfg *Config) { cfg.MTUBytes = mtu }
		got := received(c)
		c.bootAll()
		c.w.RunFor(time.Second)
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3*mtu), 1, 20).Draw(rt, "sizes")
		want := map[string]int{}
		for i, size := range sizes {
			payload := bytes.Repeat([]byte{byte(i + 1)}, size)
			node, g := i%3, cpg.Guarantee(rapid.IntRange(0, 1).Draw(rt, "guarantee"))
			require.NoError(rt, c.procs[node].node.Multicast(g, payload))
			want[fmt.Sprintf(" from %d %d: %x", node+1, g, payload)]++
		}
		c.w.RunFor(2 * time.Second)
		require.Equal(rt, got[0], got[1])
		require.Equal(rt, got[0], got[2])
		require.Len(rt, got[0], len(sizes))
		for i, line := range got[0] {
			var id string
			var ordinal, from, g int
			_, err := fmt.Sscanf(line, "%s from %d %d:", &id, &from, &g)
			require.NoError(rt, err)
			_, err = fmt.Sscanf(id, "1.8/%d", &ordinal)
			require.NoError(rt, err)
			require.Equal(rt, i+1, ordinal, "places grow by one a message")
			key := line[len(id):]
			require.Positive(rt, want[key], "delivered and never sent")
			want[key]--
		}
	})
}

// TestOneSendersOrder holds that messages of one sender keep their order whatever their guarantee.
func TestOneSendersOrder(t *testing.T) {
	c := newCluster(t, 3)
	var got []string
	c.setup = func(i int, p *testProc) {
		if i == 2 {
			p.onMsg = func(d Delivery) { got = append(got, string(d.Payload)) }
		}
	}
	c.bootAll()
	c.w.RunFor(time.Second)
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("message %d", i))
		require.NoError(t, c.procs[0].node.Multicast(cpg.Guarantee(i/3%2), []byte(want[i])))
	}
	c.w.RunFor(time.Second)
	require.Equal(t, want, got)
}

func TestLargestMessagesFromAllUnderLoss(t *testing.T) {
	c := newCluster(t, 3)
	sizes := make([]map[ring.NodeID]int, 3)
	c.setup = func(i int, p *testProc) {
		sizes[i] = map[ring.NodeID]int{}
		p.onMsg = func(d Delivery) {
			for at := range d.Payload {
				if d.Payload[at] != byte(at*7) {
					t.Fatalf("byte %d of a message from %d is wrong", at, d.From)
				}
			}
			sizes[i][d.From] += len(d.Payload)
		}
	}
	count := 0
	c.w.Deliver = func(_, _ env.MachineID, _ string, payload []byte) bool {
		count++
		return len(payload) < 1000 || count%50 != 0
	}
	c.bootAll()
	c.w.RunFor(time.Second)
	payload := make([]byte, cpg.MaxPayloadBytes)
	for at := range payload {
		payload[at] = byte(at * 7)
	}
	for i := range c.procs {
		require.NoError(t, c.procs[i].node.Multicast(cpg.Safe, payload))
	}
	c.w.RunFor(10 * time.Second)
	want := map[ring.NodeID]int{1: len(payload), 2: len(payload), 3: len(payload)}
	require.Equal(t, []map[ring.NodeID]int{want, want, want}, sizes)
}

func TestQueueIsBounded(t *testing.T) {
	c := newCluster(t, 2)
	c.tune = func(cfg *Config) { cfg.QueueBytes = cpg.MaxPayloadBytes }
	c.bootAll()
	c.w.RunFor(time.Second)
	n := c.procs[0].node
	accepted := 0
	for range 3000 {
		err := n.Multicast(cpg.Agreed, make([]byte, 1000))
		if err != nil {
			require.ErrorIs(t, err, ErrBusy)
			break
		}
		accepted++
	}
	require.Equal(t, cpg.MaxPayloadBytes/1064, accepted)
	require.ErrorIs(t, n.Multicast(cpg.Agreed, make([]byte, MaxMessageBytes+1)), ErrTooLong)
	c.w.RunFor(5 * time.Second)
	require.NoError(t, n.Multicast(cpg.Agreed, make([]byte, 1000)), "room again")
}

func TestDiskThatRefusesEndsTheProcessAndNotTheRing(t *testing.T) {
	c := newCluster(t, 3)
	c.bootAll()
	c.w.RunFor(time.Second)
	c.w.DiskOf(2).Fail = func(string, string) error { return env.ErrNoSpace }
	c.procs[0].node.Reform()
	c.w.RunFor(4 * time.Second)
	require.False(t, c.envs[2].Up())
	require.ErrorIs(t, c.envs[2].Ended(), env.ErrNoSpace)
	require.True(t, c.oneRing(0, 1))
	p := &testProc{cfg: c.config(2)}
	_, err := c.w.Start(2, "cluster", p)
	require.ErrorIs(t, err, env.ErrNoSpace, "and it does not come back before the disk does")
	c.w.DiskOf(2).Fail = nil
	c.boot(2)
	c.w.RunFor(4 * time.Second)
	require.True(t, c.oneRing(0, 1, 2))
}

func TestDamagedStateFileIsRefused(t *testing.T) {
	for _, text := range []string{"", "garbage", "holdfast ring state 1\nnode 2\nboots 1\nring 4\n",
		"holdfast ring state 1\nnode 1\nboots 1\nring 4\nmore"} {
		c := newCluster(t, 2)
		require.NoError(t, env.ReplaceFile(c.w.DiskOf(0), "cluster/ring", []byte(text)))
		_, err := c.w.Start(0, "cluster", &testProc{cfg: c.config(0)})
		require.ErrorIs(t, err, ErrState, "%q", text)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	good := newCluster(t, 3).config(0)
	require.NoError(t, good.Check())
	bad := []func(*Config){
		func(c *Config) { c.Node = 9 },
		func(c *Config) { c.Peers = nil },
		func(c *Config) { c.Peers[1].ID = 1 },
		func(c *Config) { c.Peers[1].Machine = 0 },
		func(c *Config) { c.Peers[1].ID = 0 },
		func(c *Config) { c.Key = nil },
		func(c *Config) { c.MTUBytes = 100 },
		func(c *Config) { c.QueueBytes = 5 },
		func(c *Config) { c.StateFile = "" },
		func(c *Config) { c.Timers.Token = time.Millisecond },
		func(c *Config) { c.Timers.Consensus = c.Timers.Join / 2 },
		func(c *Config) { c.Timers.TokenRetransmit = c.Timers.Token },
		func(c *Config) { c.Timers.WindowSize = 0 },
		func(c *Config) { c.Timers.TokenWarningPct = 101 },
	}
	for i, change := range bad {
		c := newCluster(t, 3).config(0)
		change(&c)
		_, err := New(c, nil)
		require.ErrorIs(t, err, ErrConfig, "%d", i)
	}
}

// TestWipedNodeIsHeardAgain: the others have seen a higher boot number of the node than it now
// uses, and send it that number.
func TestWipedNodeIsHeardAgain(t *testing.T) {
	c := newCluster(t, 2)
	c.bootAll()
	for range 3 { // boots 2, 3, 4
		c.w.RunFor(3 * time.Second)
		c.kill(0)
		c.boot(0)
	}
	c.w.RunFor(3 * time.Second)
	hints := 0
	c.w.OnProbe = func(_ *envtest.Proc, id string) {
		if id == "totem/boot-hint" {
			hints++
		}
	}
	c.kill(0)
	c.w.WipeDisk(0)
	c.boot(0)
	c.w.RunFor(5 * time.Second)
	require.True(t, c.oneRing(0, 1))
	require.Equal(t, 1, hints)
}

func TestIdleRingRests(t *testing.T) {
	c := newCluster(t, 3)
	c.bootAll()
	c.w.RunFor(5 * time.Second)
	before := c.procs[0].node.Stats().Tokens
	c.w.RunFor(100 * time.Second)
	visits := c.procs[0].node.Stats().Tokens - before
	hold := DefaultTimers(testToken).Hold
	require.InDelta(t, int64(100*time.Second/hold), visits, 5, "one rotation a hold time")
}

// BenchmarkIdleVirtualSecond is one virtual second of an idle ring of three with the default timers
// of three nodes, in the test world.
func BenchmarkIdleVirtualSecond(b *testing.B) {
	c := newCluster(b, 3)
	c.tune = func(cfg *Config) { cfg.Timers = DefaultTimers(3650 * time.Millisecond) }
	c.bootAll()
	c.w.RunFor(5 * time.Second)
	for b.Loop() {
		c.w.RunFor(time.Second)
	}
}
