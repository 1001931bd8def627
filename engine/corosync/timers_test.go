package corosync

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// cluster builds a valid configuration of n nodes.
func cluster(n int) *Config {
	c := &Config{File: "corosync.conf", Quorum: Quorum{Provider: "corosync_votequorum"}}
	c.Totem = Totem{Version: Some[uint32](2), ClusterName: "test", ConfigVersion: Some[uint64](1)}
	for i := range n {
		node := Node{ID: ring.NodeID(i + 1), Name: fmt.Sprintf("n%d", i+1)}
		node.Addrs[0] = fmt.Sprintf("10.0.%d.%d", (i+1)/256, (i+1)%256)
		c.Nodes = append(c.Nodes, node)
	}
	return c
}

// TestWorkedTimers holds the values that operators of real clusters see for token 3000.
func TestWorkedTimers(t *testing.T) {
	for _, w := range []struct {
		nodes                                     int
		token650, consensus650, token125, cons125 int64
	}{
		{2, 3000, 3600, 3000, 3600},
		{3, 3650, 4380, 3125, 3750},
		{5, 4950, 5940, 3375, 4050},
		{8, 6900, 8280, 3750, 4500},
		{16, 12100, 14520, 4750, 5700},
		{32, 22500, 27000, 6750, 8100},
	} {
		c := cluster(w.nodes)
		old, err := DeriveTimers(c)
		require.NoError(t, err)
		c.Totem.TokenCoefficientMs = Some[uint32](125)
		current, err := DeriveTimers(c)
		require.NoError(t, err)
		got := []int64{old.Token.Milliseconds(), old.Consensus.Milliseconds(),
			current.Token.Milliseconds(), current.Consensus.Milliseconds()}
		require.Equal(t, []int64{w.token650, w.consensus650, w.token125, w.cons125}, got, "%d nodes", w.nodes)
	}
}

func TestDefaultTimers(t *testing.T) {
	two, err := DeriveTimers(cluster(2))
	require.NoError(t, err)
	require.Equal(t, 714*time.Millisecond, two.TokenRetransmit)
	require.Equal(t, 561*time.Millisecond, two.Hold)
	require.Equal(t, 2250*time.Millisecond, two.TokenWarning)
	require.Equal(t, 600*time.Millisecond, two.Pause)
	require.Zero(t, two.Heartbeat)
	require.Zero(t, two.SendJoin)

	c := cluster(3)
	three, err := DeriveTimers(c)
	require.NoError(t, err)
	require.Equal(t, []LinkTimers{{Link: 0, Port: 5405, Priority: 1, PongCount: 2, PingPrecision: 2048,
		PingTimeout: 1825 * time.Millisecond, PingInterval: 912 * time.Millisecond}}, three.Links)

	// The old default of one second gives the values that the manuals still quote.
	c = cluster(2)
	c.Totem.TokenMs = Some[uint32](1000)
	old, err := DeriveTimers(c)
	require.NoError(t, err)
	require.Equal(t, 238*time.Millisecond, old.TokenRetransmit)
	require.Equal(t, 180*time.Millisecond, old.Hold)

	// Zero means "default" for all but the few settings where it means "off".
	c.Totem.TokenMs, c.Totem.TokenWarningPct = Some[uint32](0), Some[uint32](0)
	zero, err := DeriveTimers(c)
	require.NoError(t, err)
	require.Equal(t, two.Token, zero.Token)
	require.Zero(t, zero.TokenWarning)
}

func TestHeartbeatOnlyBelowToken(t *testing.T) {
	c := cluster(2)
	c.Totem.HeartbeatFailures = Some[uint32](3)
	timers, err := DeriveTimers(c)
	require.NoError(t, err)
	require.Equal(t, 3*714*time.Millisecond+50*time.Millisecond, timers.Heartbeat)
	c.Totem.HeartbeatFailures = Some[uint32](5)
	timers, err = DeriveTimers(c)
	require.NoError(t, err)
	require.Zero(t, timers.Heartbeat)
}

func TestDeriveRefusesShortTimers(t *testing.T) {
	c := cluster(2)
	c.Totem.MergeMs = Some[uint32](29)
	_, err := DeriveTimers(c)
	require.ErrorIs(t, err, ErrTooShort)
	require.ErrorContains(t, err, "totem.merge is 29ms")
	_, err = c.Validate()
	require.ErrorIs(t, err, ErrInvalid)
	c.Totem.MergeMs = Some[uint32](30)
	_, err = DeriveTimers(c)
	require.NoError(t, err)
}

func TestScaled(t *testing.T) {
	timers, err := DeriveTimers(cluster(3))
	require.NoError(t, err)

	tenth, err := timers.Scaled(timescale.Ratio{Num: 1, Den: 10})
	require.NoError(t, err)
	require.Equal(t, 365*time.Millisecond, tenth.Token)
	require.Equal(t, 438*time.Millisecond, tenth.Consensus)
	require.Equal(t, 5*time.Millisecond, tenth.Join)
	require.Equal(t, timers.WindowSize, tenth.WindowSize)
	require.Zero(t, tenth.SendJoin, "what is off stays off")
	require.Equal(t, 91200*time.Microsecond, tenth.Links[0].PingInterval)
	require.Equal(t, 912*time.Millisecond, timers.Links[0].PingInterval, "the original is not touched")

	_, err = timers.Scaled(timescale.Ratio{Num: 1, Den: 11})
	require.ErrorIs(t, err, ErrTooShort)
	require.ErrorContains(t, err, "join")
	_, err = timers.Scaled(timescale.Ratio{Num: 1, Den: 0})
	require.Error(t, err)
	_, err = timers.Scaled(timescale.Ratio{Num: 0, Den: 1})
	require.Error(t, err)

	triple, err := timers.Scaled(timescale.Ratio{Num: 3, Den: 1})
	require.NoError(t, err)
	require.Equal(t, 3*timers.DeviceSyncTimeout, triple.DeviceSyncTimeout)
}

// TestScaledKeepsOrder: relations between timers survive every accepted scale.
func TestScaledKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timers, err := DeriveTimers(cluster(rapid.IntRange(1, 40).Draw(t, "nodes")))
		require.NoError(t, err)
		s, err := timers.Scaled(timescale.Ratio{Num: rapid.Int64Range(1, 1000).Draw(t, "num"),
			Den: rapid.Int64Range(1, 1000).Draw(t, "den")})
		if err != nil {
			require.ErrorIs(t, err, ErrTooShort)
			return
		}
		require.GreaterOrEqual(t, s.Consensus, s.Token)
		require.Greater(t, s.Token, s.TokenRetransmit)
		require.Greater(t, s.TokenRetransmit, s.Hold)
		require.GreaterOrEqual(t, s.Consensus, s.Join)
		require.GreaterOrEqual(t, s.Token, minTimeout)
	})
}
