package reach

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

const testLatency = 500 * time.Microsecond

// testNet is monitors without rings, on a network that loses what blocked says.
type testNet struct {
	tb       require.TestingT
	now      time.Duration
	monitors []*Monitor
	hosts    []*testHost
	queue    []datagram // by time
	relay    bool
	blocked  func(from, to int) bool
	stopped  []bool // the process takes nothing, and what is sent to it is lost
	sent     int
}

type datagram struct {
	at       time.Duration
	from, to int
	payload  []byte
}

type testHost struct {
	net     *testNet
	self    int
	changes int // of links
	reached int // changes of what is reached
	routes  []Route
	decided int // changes of the decision
}

func (h *testHost) Send(to, via ring.NodeID, message []byte) {
	h.net.sent++
	i, hops := int(to-1)/2, []int{h.self, int(to-1) / 2}
	if via != 0 {
		hops = []int{h.self, int(via-1) / 2, i}
	}
	at := h.net.now
	for hop, from := range hops[:len(hops)-1] {
		at += testLatency
		if h.net.blocked != nil && h.net.blocked(from, hops[hop+1]) || h.net.stopped[hops[hop+1]] {
			return
		}
	}
	h.net.queue = append(h.net.queue, datagram{at: at, from: h.self, to: i, payload: slices.Clone(message)})
	slices.SortStableFunc(h.net.queue, func(a, b datagram) int { return cmp.Compare(a.at, b.at) })
}

func (h *testHost) LinkChanged(ring.NodeID, bool) { h.changes++ }

func (h *testHost) Reached(ring.NodeID, bool) { h.reached++ }

func (h *testHost) RouteChanged(to, via ring.NodeID) {
	h.routes = append(h.routes, Route{To: to, Via: via})
}

func newTestNet(tb require.TestingT, n int) *testNet { return newTestNetWith(tb, n, false) }

func newTestNetWith(tb require.TestingT, n int, relay bool) *testNet {
	net := &testNet{tb: tb, relay: relay, stopped: make([]bool, n)}
	for i := range n {
		net.hosts = append(net.hosts, &testHost{net: net, self: i})
	}
	net.monitors = make([]*Monitor, n)
	for i := range n {
		net.start(i, 1)
	}
	return net
}

func (net *testNet) start(i int, boot uint64) {
	net.monitors[i] = NewMonitor(Config{Node: nodeIDs(i + 1)[i], Nodes: nodeIDs(len(net.hosts)), Votes: 1,
		Timing: testTiming, Relay: net.relay, Host: net.hosts[i]})
	net.stopped[i] = false
	net.monitors[i].Start(net.now, boot)
}

func (net *testNet) runFor(length time.Duration) {
	for end := net.now + length; net.now < end; net.now = max(net.now, net.nextAt(end)) {
		for len(net.queue) > 0 && net.queue[0].at <= net.now {
			d := net.queue[0]
			net.queue = net.queue[1:]
			if net.stopped[d.to] {
				continue
			}
			changed, err := net.monitors[d.to].Receive(net.now, nodeIDs(d.from + 1)[d.from], d.payload[0],
				d.payload[1:])
			require.NoError(net.tb, err)
			net.count(d.to, changed)
		}
		for i, m := range net.monitors {
			if !net.stopped[i] && net.now >= m.NextAt() {
				net.count(i, m.Advance(net.now))
			}
		}
	}
}

// nextAt returns when something happens next, at most end.
func (net *testNet) nextAt(end time.Duration) time.Duration {
	if len(net.queue) > 0 {
		end = min(end, net.queue[0].at)
	}
	for i, m := range net.monitors {
		if !net.stopped[i] {
			end = min(end, m.NextAt())
		}
	}
	return end
}

func (net *testNet) count(i int, changed bool) {
	if changed {
		net.hosts[i].decided++
	}
}

// settled requires that every node has decided as the network demands, and that nothing changes afterwards.
func (net *testNet) settled(want *Table) {
	for i, m := range net.monitors {
		require.Equal(net.tb, want.Decide(i).Members, m.decision.Members, "node %d of %d", i,
			len(net.monitors))
		net.hosts[i].decided = 0
	}
	net.runFor(3 * time.Second)
	for i := range net.hosts {
		require.Zero(net.tb, net.hosts[i].decided, "node %d", i)
	}
}

// truth is the table that nodes with knowledge of the network would write.
func (net *testNet) truth() *Table {
	n := len(net.monitors)
	links := make([]Set, n)
	for i := range n {
		for j := range n {
			if i != j && !net.stopped[i] && !net.stopped[j] && !net.blocked(i, j) && !net.blocked(j, i) {
				links[i].Add(j)
			}
		}
	}
	t := NewTable(nodeIDs(n))
	for i := range n {
		row := Row{Version: Version{Boot: 1}, Votes: 1, Links: links[i]}
		for j := range n {
			common := links[i].And(&links[j])
			if net.relay && i != j && !common.IsEmpty() {
				row.Links.Add(j)
			}
		}
		t.Merge(i, row)
	}
	return t
}

// TestDecisionsSettle: under every directed cut, each node decides on the best clique within the bound and
// stays with it; after the heal, on all.
func TestDecisionsSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { decisionsSettle(t, false) })
}

// TestDecisionsSettleWithRelays is TestDecisionsSettle, where two nodes are linked as well if both are linked
// to a third one.
func TestDecisionsSettleWithRelays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { decisionsSettle(t, true) })
}

func decisionsSettle(t *rapid.T, relay bool) {
	n := rapid.IntRange(2, 6).Draw(t, "nodes")
	cut := make([]Set, n)
	for i := range cut {
		cut[i] = drawSet(t, n, "cut")
	}
	net := newTestNetWith(t, n, relay)
	net.runFor(time.Second)
	net.blocked = func(from, to int) bool { return false }
	net.settled(net.truth())
	net.blocked = func(from, to int) bool { return cut[from].Has(to) }
	bound := testTiming.CutBound(n, testLatency, 0)
	if relay {
		bound += testTiming.Token / 2
	}
	net.runFor(bound)
	net.settled(net.truth())
	net.blocked = func(from, to int) bool { return false }
	net.runFor(testTiming.HealBound(1, n, testLatency, 0))
	net.settled(net.truth())
}

// TestAPauseIsNoFlap: a process that did not run for less than the token timeout changes nothing, and one
// that did not run for long counts no flap of its own links.
func TestAPauseIsNoFlap(t *testing.T) {
	net := newTestNet(t, 3)
	net.runFor(time.Second)
	before := net.monitors[2].decision
	net.stopped[2] = true
	net.runFor(testTiming.Token * 3 / 4)
	net.stopped[2] = false
	for i := range net.hosts {
		net.hosts[i].decided = 0
	}
	net.runFor(time.Second)
	require.Equal(t, before, net.monitors[2].decision)
	require.Zero(t, net.hosts[0].decided+net.hosts[1].decided+net.hosts[2].decided)
	net.stopped[2] = true
	net.runFor(5 * time.Second)
	net.stopped[2] = false
	net.runFor(testTiming.HealBound(1, 3, testLatency, 0))
	require.Equal(t, before, net.monitors[2].decision)
	require.Zero(t, net.monitors[2].links[0].flaps)
	require.Equal(t, 1, net.monitors[0].links[2].flaps)
}

// TestALeaveIsNoFlap: the others know at once, and the node is welcome when it comes back.
func TestALeaveIsNoFlap(t *testing.T) {
	net := newTestNet(t, 3)
	for boot := uint64(2); boot < 7; boot++ {
		net.runFor(time.Second)
		net.monitors[2].Leave(net.now)
		net.stopped[2] = true
		net.runFor(10 * time.Millisecond)
		require.True(t, net.monitors[0].HasLeft(5))
		require.Equal(t, nodeIDs(2), net.monitors[0].Members())
		require.Zero(t, net.monitors[0].links[2].flaps)
		net.start(2, boot)
		net.runFor(testTiming.HealBound(1, 3, testLatency, 0))
		require.Equal(t, nodeIDs(3), net.monitors[0].Members())
		require.False(t, net.monitors[0].HasLeft(5))
	}
}

// TestRowsOutliveAWipedDisk: a node that counts its boots from one again outdoes what others remember of it.
func TestRowsOutliveAWipedDisk(t *testing.T) {
	net := newTestNet(t, 3)
	net.runFor(time.Second)
	net.start(1, 9)
	net.runFor(time.Second)
	net.start(1, 1)
	net.runFor(2 * time.Second)
	for _, m := range net.monitors {
		require.Equal(t, nodeIDs(3), m.Members())
		require.Equal(t, net.monitors[0].Digest(), m.Digest())
	}
}

// TestExcludedKnowsWhy: with a cut between 1 and 5, the last one is excluded and names what it misses.
func TestExcludedKnowsWhy(t *testing.T) {
	net := newTestNet(t, 3)
	net.blocked = func(from, to int) bool { return from != 1 && to != 1 }
	net.runFor(2 * time.Second)
	got, isCertain := net.monitors[2].Excluded(net.now)
	require.True(t, isCertain)
	require.Equal(t, Exclusion{First: []ring.NodeID{1, 3}, Missing: []ring.NodeID{1}}, got)
	got, isCertain = net.monitors[0].Excluded(net.now)
	require.True(t, isCertain)
	require.Zero(t, got)
	require.Equal(t, []ring.NodeID{5}, net.monitors[2].Members())
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	net := newTestNet(t, 2)
	m := net.monitors[0]
	for _, bad := range [][]byte{{KindPing}, {KindPong}, {KindRows}, {KindRows, 1}, {99},
		append([]byte{KindPong}, make([]byte, 16)...), append([]byte{KindPing}, make([]byte, 17)...)} {
		_, err := m.Receive(0, 3, bad[0], bad[1:])
		require.ErrorIs(t, err, ErrMalformed, "%v", bad)
	}
	_, err := m.Receive(0, 77, KindPing, make([]byte, 16))
	require.ErrorIs(t, err, ErrMalformed, "of a node that is not configured")
	_, err = m.Receive(0, 3, KindRows, make([]byte, 8))
	require.ErrorIs(t, err, ErrOtherNodes)
}

// TestIdleTraffic: nodes that have settled only probe.
func TestIdleTraffic(t *testing.T) {
	net := newTestNet(t, 4)
	net.runFor(time.Second)
	net.sent = 0
	net.runFor(8 * testTiming.Ping)
	require.Equal(t, 8*4*3*2, net.sent, "a probe and an answer for each pair in each direction")
}
