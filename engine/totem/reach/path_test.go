package reach

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// relayNet is a settled net with relays, without any cut.
func relayNet(t *testing.T, n int) *testNet {
	net := newTestNetWith(t, n, true)
	net.blocked = func(int, int) bool { return false }
	net.runFor(2 * time.Second)
	for i, m := range net.monitors {
		require.Equal(t, nodeIDs(n), m.Members())
		require.Empty(t, net.hosts[i].routes)
	}
	return net
}

// between returns a cut of one pair.
func between(a, b int) func(int, int) bool {
	return func(from, to int) bool { return from == a && to == b || from == b && to == a }
}

// TestAPairGoesOverTheThirdNode: within half a token timeout and a probe interval, without any change of what
// is reached, and back when the link works again.
func TestAPairGoesOverTheThirdNode(t *testing.T) {
	net := relayNet(t, 3)
	reached := net.hosts[0].reached
	net.blocked = between(0, 2)
	net.runFor(testTiming.answerWithin() + testTiming.Ping + 10*testLatency)
	require.Equal(t, []Route{{To: 5, Via: 3}}, net.hosts[0].routes)
	require.Equal(t, []Route{{To: 1, Via: 3}}, net.hosts[2].routes)
	net.runFor(time.Minute)
	require.Len(t, net.hosts[0].routes, 1)
	require.Equal(t, []Route{{To: 5, Via: 3}}, net.monitors[0].Relayed())
	require.False(t, net.monitors[0].links[2].isUp)
	require.Zero(t, net.monitors[0].paths[2].flaps)
	require.False(t, net.monitors[0].table.rows[2].Direct.Has(0), "the row shows what is direct")
	require.True(t, net.monitors[0].table.rows[2].Links.Has(0), "and what is reached")
	net.blocked = func(int, int) bool { return false }
	net.runFor(10 * time.Second)
	require.Equal(t, []Route{{To: 5, Via: 3}, {To: 5}}, net.hosts[0].routes)
	require.Empty(t, net.monitors[0].Relayed())
	require.Equal(t, reached, net.hosts[0].reached, "3 was reached all the time")
}

// TestARelayMustAnswerFirst: a relay that has not noticed yet that the other node is gone is asked, and not
// used.
func TestARelayMustAnswerFirst(t *testing.T) {
	net := relayNet(t, 3)
	m := net.monitors[0]
	m.links[2].answeredAt = net.now - m.cfg.Timing.answerWithin()
	m.chooseRoutes(net.now)
	require.Equal(t, 1, m.paths[2].trial)
	require.Zero(t, m.Via(2))
	require.Empty(t, net.hosts[0].routes)
}

// TestADeadNodeIsNotLookedForOverRelays: where the others do not hear it either, no route changes.
func TestADeadNodeIsNotLookedForOverRelays(t *testing.T) {
	net := relayNet(t, 5)
	net.stopped[4] = true
	net.runFor(5 * time.Second)
	for _, h := range net.hosts {
		require.Empty(t, h.routes)
	}
	sent := net.sent
	net.runFor(8 * testTiming.Ping)
	require.Equal(t, 8*(4*3*2+4), net.sent-sent, "direct probes and their answers, nothing else")
}

// TestTheRelayIsReplaced: a relay that stops is replaced before the other node is missed, and so is one whose
// own link to the other node is cut as well.
func TestTheRelayIsReplaced(t *testing.T) {
	net := relayNet(t, 5)
	reached := net.hosts[0].reached
	net.blocked = between(0, 4)
	net.runFor(3 * time.Second)
	require.Equal(t, []Route{{To: 9, Via: 3}}, net.hosts[0].routes)
	pair, second := between(0, 4), between(1, 4)
	net.blocked = func(from, to int) bool { return pair(from, to) || second(from, to) }
	net.runFor(3 * time.Second)
	require.Equal(t, []Route{{To: 9, Via: 3}, {To: 9, Via: 5}}, net.hosts[0].routes)
	net.stopped[2] = true
	net.runFor(3 * time.Second)
	require.Equal(t, []Route{{To: 9, Via: 3}, {To: 9, Via: 5}, {To: 9, Via: 7}}, net.hosts[0].routes)
	require.Equal(t, reached+1, net.hosts[0].reached, "only the node that stopped was missed")
}

// TestAPoorLinkIsLeft: a link that loses most probes and is still up is left for a better way.
func TestAPoorLinkIsLeft(t *testing.T) {
	net := relayNet(t, 3)
	r, pair := rand.New(rand.NewPCG(1, 1)), between(0, 2)
	net.blocked = func(from, to int) bool { return pair(from, to) && r.IntN(10) < 4 }
	net.runFor(30 * time.Second)
	require.Equal(t, []Route{{To: 5, Via: 3}}, net.hosts[0].routes)
	require.Equal(t, nodeIDs(3), net.monitors[0].Members())
}

// TestWhoCanBeARelay: both links must work, as each end reports it, and all three nodes must use relays.
func TestWhoCanBeARelay(t *testing.T) {
	of := func(spoil func(*Monitor)) func(*Monitor, time.Duration) {
		return func(m *Monitor, _ time.Duration) { spoil(m) }
	}
	for _, c := range []struct {
		name  string
		spoil func(m *Monitor, now time.Duration)
	}{
		{"nothing", func(*Monitor, time.Duration) {}},
		{"this node has no fresh answer of the relay", func(m *Monitor, now time.Duration) {
			m.links[1].answeredAt = now - m.cfg.Timing.answerWithin()
		}},
		{"this node's link to the relay is down", of(func(m *Monitor) { m.links[1].isUp = false })},
		{"the relay does not hear this node", of(func(m *Monitor) { m.table.rows[1].Direct.Remove(0) })},
		{"the relay does not hear the other", of(func(m *Monitor) { m.table.rows[1].Direct.Remove(2) })},
		{"the other does not hear the relay", of(func(m *Monitor) { m.table.rows[2].Direct.Remove(1) })},
		{"the relay uses none", of(func(m *Monitor) { m.table.rows[1].Relays = false })},
		{"the other uses none", of(func(m *Monitor) { m.table.rows[2].Relays = false })},
	} {
		net := relayNet(t, 3)
		m := net.monitors[0]
		c.spoil(m, net.now)
		require.Equal(t, c.name == "nothing", m.worth(net.now, 2, 1) > 0, c.name)
	}
	net := relayNet(t, 3)
	require.Zero(t, net.monitors[0].worth(net.now, 2, 2), "a node is no relay to itself")
	require.Zero(t, net.monitors[0].worth(net.now, 2, 0), "nor is this one")
}

// TestTheBestRelayWins: by the product of the quality of both links, then the lowest node.
func TestTheBestRelayWins(t *testing.T) {
	net := relayNet(t, 5)
	m, none := net.monitors[0], Set{}
	require.Equal(t, 1, m.bestRelay(net.now, 4, 0, &none))
	m.table.rows[1].Quality[4] = 10
	require.Equal(t, 2, m.bestRelay(net.now, 4, 0, &none))
	m.links[2].quality = qualityFull / 2
	require.Equal(t, 3, m.bestRelay(net.now, 4, 0, &none))
	require.Equal(t, direct, m.bestRelay(net.now, 4, 2*qualityFull, &none))
}

// TestRelayedProbesThatAreRefused: a relay must be another configured node, and a node without relays takes
// no such probe.
func TestRelayedProbesThatAreRefused(t *testing.T) {
	probe := func(relay ring.NodeID) []byte {
		return binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(relay))
	}
	net := relayNet(t, 3)
	for _, relay := range []ring.NodeID{0, 1, 5, 77} {
		_, err := net.monitors[0].Receive(net.now, 5, KindPing, probe(relay))
		require.ErrorIs(t, err, ErrMalformed, "relay %d", relay)
	}
	_, err := net.monitors[0].Receive(net.now, 5, KindPing, probe(3))
	require.NoError(t, err)
	_, err = newTestNet(t, 3).monitors[0].Receive(0, 5, KindPing, probe(3))
	require.ErrorIs(t, err, ErrMalformed)
}
