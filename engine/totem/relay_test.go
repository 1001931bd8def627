package totem_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ring"
	. "github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
	"github.com/holdfast-sim/holdfast/engine/totem/wire"
	seal "github.com/holdfast-sim/holdfast/engine/wire"
)

// TestSettlesWithRelays is TestSettlesUnderAnyReachability with relays: the best ring is that of nodes which
// reach each other directly or over one other node.
func TestSettlesWithRelays(t *testing.T) { settleMatrices(t, true) }

// TestNamedCutsWithRelays are the cases that operators meet, with the ring that has to remain, and how many
// rings are installed on all nodes together until then.
func TestNamedCutsWithRelays(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int
		cut   [][2]int // from, to
		ring  []int
		rings uint64
	}{
		{"partition", 3, [][2]int{{1, 3}, {3, 1}, {2, 3}, {3, 2}}, []int{1, 2}, 3},
		{"pair", 3, [][2]int{{1, 3}, {3, 1}}, []int{1, 2, 3}, 0},
		{"one way, 1 to 3", 3, [][2]int{{1, 3}}, []int{1, 2, 3}, 0},
		{"one way, 3 to 1", 3, [][2]int{{3, 1}}, []int{1, 2, 3}, 0},
		{"3 cannot send", 3, [][2]int{{3, 1}, {3, 2}}, []int{1, 2}, 3},
		{"3 cannot receive", 3, [][2]int{{1, 3}, {2, 3}}, []int{1, 2}, 3},
		{"5 hears 4 only", 5, [][2]int{{5, 1}, {5, 2}, {5, 3}, {1, 5}, {2, 5}, {3, 5}},
			[]int{1, 2, 3, 4, 5}, 0},
		{"a pair that are no neighbours on the ring", 5, [][2]int{{1, 3}, {3, 1}}, []int{1, 2, 3, 4, 5}, 0},
		{"a circle", 5, pairs(5, [][2]int{{1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 1}}), []int{1, 2, 3, 4, 5}, 0},
		{"a star", 5, pairs(5, [][2]int{{1, 2}, {1, 3}, {1, 4}, {1, 5}}), []int{1, 2, 3, 4, 5}, 0},
		{"a chain", 4, pairs(4, [][2]int{{1, 2}, {2, 3}, {3, 4}}), []int{1, 2, 3}, 4},
		{"two triangles with a bridge", 6,
			pairs(6, [][2]int{{1, 2}, {1, 3}, {2, 3}, {4, 5}, {4, 6}, {5, 6}, {3, 4}}), []int{1, 2, 3, 4}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSettlingWith(t, equalVotes(c.nodes), true)
			for _, p := range c.cut {
				s.cut[p[0]-1] |= 1 << (p[1] - 1)
			}
			before := s.rings()
			settled, err := s.settleWithin(s.cutBound())
			require.NoError(t, err)
			t.Logf("settled after %v", settled)
			ids := []ring.NodeID{}
			for _, i := range c.ring {
				ids = append(ids, ring.NodeID(i))
			}
			require.Equal(t, ids, s.procs[c.ring[0]-1].node.Members())
			require.LessOrEqual(t, s.rings()-before, c.rings)
			clear(s.cut)
			_, err = s.settleWithin(HealBound(DefaultTimers(testToken), 1, c.nodes, s.w.Latency))
			require.NoError(t, err)
			s.w.RunFor(5 * time.Second)
			for _, p := range s.procs {
				require.Empty(t, p.node.Relayed(), "all is direct again")
			}
			require.Empty(t, s.check.Finish())
		})
	}
}

// pairs returns the cuts that leave only some links of n nodes.
func pairs(n int, links [][2]int) [][2]int {
	var cut [][2]int
	for a := 1; a <= n; a++ {
		for b := 1; b <= n; b++ {
			isLink := a == b
			for _, l := range links {
				isLink = isLink || l == [2]int{a, b} || l == [2]int{b, a}
			}
			if !isLink {
				cut = append(cut, [2]int{a, b})
			}
		}
	}
	return cut
}

// TestAPairCutWithRelay: the ring goes on ordering, both ends record and show the route, the relay counts,
// and when the link works again the route is direct.
func TestAPairCutWithRelay(t *testing.T) {
	s := newSettlingWith(t, equalVotes(3), true)
	var got []RouteChange
	s.w.OnRecord = func(p *envtest.Proc, r env.Record) {
		s.check.Observe(p.Self().Machine, r)
		if change, is := r.(RouteChange); is {
			got = append(got, change)
		}
	}
	s.cutPair(0, 2, true)
	before, began := s.rings(), s.w.Now()
	delivered := s.procs[2].node.Stats().Delivered
	for s.w.Now()-began < 10*time.Second {
		require.NoError(t, s.procs[0].node.Multicast(cpg.Safe, make([]byte, 5000)))
		s.w.RunFor(100 * time.Millisecond)
	}
	require.Equal(t, before, s.rings(), "no ring has changed")
	s.w.RunFor(time.Second)
	require.EqualValues(t, 100, s.procs[2].node.Stats().Delivered-delivered)
	require.Equal(t, []reach.Route{{To: 3, Via: 2}}, s.procs[0].node.Relayed())
	require.Equal(t, []reach.Route{{To: 1, Via: 2}}, s.procs[2].node.Relayed())
	require.Empty(t, s.procs[1].node.Relayed())
	relayed := s.procs[1].node.Stats().Relay
	require.NotZero(t, relayed.Frames)
	require.Greater(t, relayed.Bytes, uint64(400_000), "most of the messages were relayed")
	require.Zero(t, relayed.Dropped)
	require.Len(t, got, 2)
	require.ElementsMatch(t, []RouteChange{{Node: 1, To: 3, Via: 2}, {Node: 3, To: 1, Via: 2}}, got)

	s.cutPair(0, 2, false)
	s.w.RunFor(10 * time.Second)
	require.Len(t, got, 4)
	require.ElementsMatch(t, []RouteChange{{Node: 1, To: 3}, {Node: 3, To: 1}}, got[2:])
	frames := s.procs[1].node.Stats().Relay.Frames
	s.w.RunFor(10 * time.Second)
	require.Equal(t, frames, s.procs[1].node.Stats().Relay.Frames, "nothing is relayed now")
	require.Equal(t, before, s.rings())
	require.Empty(t, s.check.Finish())
}

// TestAPairCutAtAnyTime: whenever a pair of an idle ring is cut, the token survives, and a message is
// delivered by all as soon as there is another route: the token is repeated then.
func TestAPairCutAtAnyTime(t *testing.T) {
	bound := testToken/2 + reach.NewTiming(testToken).Ping + 50*time.Millisecond
	for pair := range 3 {
		for phase := range 20 {
			s := newSettlingWith(t, equalVotes(3), true)
			s.w.RunFor(time.Duration(phase) * 17 * time.Millisecond)
			before := s.rings()
			s.cutPair(pair, (pair+1)%3, true)
			require.NoError(t, s.procs[0].node.Multicast(cpg.Agreed, []byte("x")))
			s.w.RunFor(bound)
			for _, p := range s.procs {
				require.EqualValues(t, 1, p.node.Stats().Delivered, "pair %d, phase %d", pair, phase)
			}
			s.w.RunFor(2 * time.Second)
			require.Equal(t, before, s.rings(), "pair %d, phase %d", pair, phase)
			require.Empty(t, s.check.Finish())
		}
	}
}

// TestARelayThatDies: the route moves to another node; with three nodes no ring has a majority without it.
func TestARelayThatDies(t *testing.T) {
	s := newSettlingWith(t, equalVotes(5), true)
	s.cutPair(0, 2, true)
	_, err := s.settleWithin(s.cutBound())
	require.NoError(t, err)
	require.Equal(t, []reach.Route{{To: 3, Via: 2}}, s.procs[0].node.Relayed())
	for i := range s.procs {
		if i != 1 {
			s.cutPair(1, i, true)
		}
	}
	settled, err := s.settleWithin(s.cutBound())
	require.NoError(t, err)
	t.Logf("settled after %v", settled)
	require.Equal(t, []ring.NodeID{1, 3, 4, 5}, s.procs[0].node.Members())
	require.Equal(t, []reach.Route{{To: 3, Via: 4}}, s.procs[0].node.Relayed())
	require.Empty(t, s.check.Finish())
}

// TestFlappingPairWithRelay: a pair that is cut half of the time costs no ring.
func TestFlappingPairWithRelay(t *testing.T) {
	periods := []int{200, 1000, 2000, 3000, 5000, 10_000, 20_000, 30_000}
	for i := 0; i < len(periods); i += thorough.Count(3, 1) {
		ms := periods[i]
		period := time.Duration(ms) * time.Millisecond
		t.Run(period.String(), func(t *testing.T) {
			s := newSettlingWith(t, equalVotes(3), true)
			began, before := s.w.Now(), s.rings()
			for s.w.Now()-began < 300*time.Second {
				s.cutPair(0, 2, (s.w.Now()-began)%period < period/2)
				s.w.RunFor(100 * time.Millisecond)
			}
			require.Equal(t, before, s.rings())
			require.Empty(t, s.check.Finish())
		})
	}
}

// TestSlowAndLossyPairsWithRelay: a pair that loses many packets, or is slower than probes may be, is reached
// over the third node.
func TestSlowAndLossyPairsWithRelay(t *testing.T) {
	for _, c := range []struct {
		name      string
		lossPct   int // each way
		slow      time.Duration
		rings     uint64
		isRelayed bool
	}{
		{"2 percent", 2, 0, 0, false},
		{"30 percent", 30, 0, 0, true},
		{"60 percent", 60, 0, 3, true},
		{"100 ms", 0, 100 * time.Millisecond, 0, false},
		{"300 ms", 0, 300 * time.Millisecond, 3, true},
		{"2 s", 0, 2 * time.Second, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSettlingWith(t, equalVotes(3), true)
			r := rand.New(rand.NewPCG(3, 3))
			isPair := func(from, to env.MachineID) bool { return from+to == 2 && from != to }
			s.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
				return !isPair(from, to) || r.IntN(100) >= c.lossPct
			}
			s.w.Delay = func(from, to env.MachineID, _ string, _ []byte) time.Duration {
				if isPair(from, to) {
					return c.slow
				}
				return 0
			}
			before := s.rings()
			s.w.RunFor(60 * time.Second)
			t.Logf("%d rings", s.rings()-before)
			require.LessOrEqual(t, s.rings()-before, c.rings)
			require.Len(t, s.procs[0].node.Members(), 3)
			require.Equal(t, c.isRelayed, len(s.procs[0].node.Relayed()) > 0)
			require.Empty(t, s.check.Finish())
		})
	}
}

// TestAllThreeMustUseRelays: where one of the three nodes has relays switched off, the pair is not relayed.
func TestAllThreeMustUseRelays(t *testing.T) {
	for off := range ring.NodeID(3) {
		s := newSettlingWith(t, equalVotes(3), true)
		tune := s.tune
		s.tune = func(c *Config) {
			tune(c)
			c.Relay = c.Node != off+1
		}
		s.kill(int(off))
		s.boot(int(off))
		s.w.RunFor(5 * time.Second)
		require.True(t, s.oneRing(0, 1, 2))
		s.cutPair(0, 2, true)
		s.relay = false
		_, err := s.settleWithin(s.cutBound())
		require.NoError(t, err)
		require.Len(t, s.procs[0].node.Members(), 2)
		require.Empty(t, s.procs[0].node.Relayed())
		require.Empty(t, s.check.Finish())
	}
}

// TestFramesThatARelayRefuses: what has been relayed is not relayed again, and what names nodes that do not
// exist, this node as its origin or another sender changes nothing.
func TestFramesThatARelayRefuses(t *testing.T) {
	s := newSettlingWith(t, equalVotes(3), true)
	node, sent := s.procs[1].node, 0
	sealer, err := seal.NewSealer(testKey, 1, seal.Boot{Count: 1000})
	require.NoError(t, err)
	packet := sealer.Seal(nil, []byte{0xff})
	s.w.Deliver = func(from, _ env.MachineID, _ string, payload []byte) bool {
		if from == 1 && wire.IsRelayFrame(payload) {
			sent++
		}
		return !wire.IsRelayFrame(payload)
	}
	frame := func(from, to ring.NodeID, isRelayed bool) []byte {
		h := wire.RelayHeader{From: from, To: to, IsRelayed: isRelayed}
		return append(h.Append(nil), packet...)
	}
	step := func(b []byte) uint64 {
		before := node.Stats().Malformed
		node.Step(env.Received{From: 0, Payload: b})
		s.w.RunFor(time.Millisecond)
		return node.Stats().Malformed - before
	}
	require.Zero(t, step(frame(1, 3, false)))
	require.Equal(t, 1, sent)
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"relayed twice", frame(1, 3, true)},
		{"an unknown origin", frame(9, 3, false)},
		{"an unknown target", frame(1, 9, false)},
		{"its own", frame(2, 3, false)},
		{"not over a relay", frame(1, 2, false)},
		{"another sender", frame(3, 2, true)},
		{"too short", frame(1, 3, false)[:wire.RelayHeaderBytes]},
		{"a node to itself", frame(1, 1, false)},
		{"nothing but a mark", frame(1, 3, false)[:1]},
	} {
		require.EqualValues(t, 1, step(c.frame), c.name)
		require.Equal(t, 1, sent, c.name)
	}
}

// TestRelayLimit: a node relays so many bytes a second for others, and counts what is above that.
func TestRelayLimit(t *testing.T) {
	s := newSettlingWith(t, equalVotes(3), true)
	h := wire.RelayHeader{From: 1, To: 3}
	frame := append(h.Append(nil), make([]byte, 60_000)...)
	s.w.Deliver = func(_, _ env.MachineID, _ string, payload []byte) bool {
		return !wire.IsRelayFrame(payload)
	}
	node := s.procs[1].node
	push := func() RelayStats {
		before := node.Stats().Relay
		for range 200 {
			node.Step(env.Received{From: 0, Payload: frame})
		}
		after := node.Stats().Relay
		return RelayStats{Frames: after.Frames - before.Frames, Bytes: after.Bytes - before.Bytes,
			Dropped: after.Dropped - before.Dropped}
	}
	first := push()
	require.EqualValues(t, 139, first.Frames, "8 MiB at once")
	require.EqualValues(t, 61, first.Dropped)
	require.Equal(t, first.Frames*uint64(len(frame)), first.Bytes)
	s.w.RunFor(50 * time.Millisecond)
	second := push()
	require.InDelta(t, 56, second.Frames, 2, "64 MiB a second")
	s.w.RunFor(time.Minute)
	require.Equal(t, first.Frames, push().Frames, "a pause gives no more than that")
}
