package totem_test

import (
	"flag"
	"fmt"
	"math/bits"
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
	"github.com/holdfast-sim/holdfast/engine/totem/evs"
	"github.com/holdfast-sim/holdfast/engine/totem/reach"
)

var (
	matrixFirst = flag.Uint64("matrix", 0, "first seed of TestSettlesUnderAnyReachability")
	matrixRuns  = flag.Int("matrices", 0, "runs of TestSettlesUnderAnyReachability; 0 is the usual number")
)

// settling is a cluster on a network of which each direction of each link can be cut.
type settling struct {
	*cluster
	relay bool
	cut   []uint // by the sender, a bit for each receiver
	votes []uint32
	best  []uint32 // by node: see bestVotes, for the present cuts
	check *evs.Checker
}

func newSettling(tb testing.TB, votes []uint32) *settling { return newSettlingWith(tb, votes, false) }

func newSettlingWith(tb testing.TB, votes []uint32, relay bool) *settling {
	n := len(votes)
	s := &settling{cluster: newCluster(tb, n), relay: relay, cut: make([]uint, n), votes: votes,
		check: evs.New()}
	s.tune = func(c *Config) { c.Votes, c.Relay = votes[c.Node-1], relay }
	s.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool { return s.cut[from]>>to&1 == 0 }
	s.w.OnRecord = func(p *envtest.Proc, r env.Record) { s.check.Observe(p.Self().Machine, r) }
	s.bootAll()
	s.w.RunFor(time.Second)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	require.True(tb, s.oneRing(all...))
	return s
}

func equalVotes(n int) []uint32 {
	votes := make([]uint32, n)
	for i := range votes {
		votes[i] = 1
	}
	return votes
}

// linked reports whether two nodes hear each other without the help of others.
func (s *settling) linked(a, b int) bool { return s.cut[a]>>b&1 == 0 && s.cut[b]>>a&1 == 0 }

// mutual reports whether two nodes reach each other: directly, or over a relay if there are any.
func (s *settling) mutual(a, b int) bool {
	if s.linked(a, b) {
		return true
	}
	for k := range s.procs {
		if s.relay && k != a && k != b && s.linked(a, k) && s.linked(k, b) {
			return true
		}
	}
	return false
}

// bestVotes returns the most votes that nodes which all hear each other have, among those that a node is
// connected to by any number of links.
func (s *settling) bestVotes(node int) uint32 {
	n := len(s.procs)
	component := uint(1) << node
	for range n {
		for a := range n {
			for b := range n {
				if component>>a&1 != 0 && s.mutual(a, b) {
					component |= 1 << b
				}
			}
		}
	}
	best := uint32(0)
	for set := uint(1); set < 1<<n; set++ {
		if votes := s.votesOf(set); set&component == set && votes > best && s.isClique(set) {
			best = votes
		}
	}
	return best
}

func (s *settling) votesOf(set uint) uint32 {
	votes := uint32(0)
	for ; set != 0; set &= set - 1 {
		votes += s.votes[bits.TrailingZeros(set)]
	}
	return votes
}

func (s *settling) isClique(set uint) bool {
	for a := range s.procs {
		for b := range a {
			if set>>a&1 != 0 && set>>b&1 != 0 && !s.mutual(a, b) {
				return false
			}
		}
	}
	return true
}

// fault describes what is wrong with the rings, "" if they are the best ones.
func (s *settling) fault() string {
	for i, p := range s.procs {
		if p.node.State() != Operational {
			return fmt.Sprintf("node %d is in %v", i+1, p.node.State())
		}
		members := uint(0)
		for _, id := range p.node.Members() {
			members |= 1 << (id - 1)
			if s.procs[id-1].node.Ring() != p.node.Ring() {
				return fmt.Sprintf("nodes %d and %d are in different rings", i+1, id)
			}
		}
		if !s.isClique(members) {
			return fmt.Sprintf("the ring of node %d, %v, has members that do not hear each other", i+1,
				p.node.Members())
		}
		best, found := s.best[i], uint32(0)
		for j := range s.procs {
			set := uint(0)
			for _, id := range s.procs[j].node.Members() {
				set |= 1 << (id - 1)
			}
			found = max(found, s.votesOf(set))
		}
		if found < best {
			return fmt.Sprintf("no ring has the %d votes that node %d's part could have together", best, i+1)
		}
	}
	return ""
}

// settleWithin runs until the bound, in which the rings must be the best, and then for a while, in which
// nothing may change. It returns when the rings were the best for good.
func (s *settling) settleWithin(bound time.Duration) (time.Duration, error) {
	const step = 20 * time.Millisecond
	began, settled := s.w.Now(), time.Duration(0)
	s.best = s.best[:0]
	for i := range s.procs {
		s.best = append(s.best, s.bestVotes(i))
	}
	for s.w.Now()-began < bound {
		s.w.RunFor(step)
		if s.fault() != "" {
			settled = s.w.Now() - began + step
		}
	}
	if fault := s.fault(); fault != "" {
		return 0, fmt.Errorf("after %v: %s", bound, fault)
	}
	before := s.rings()
	for i := range s.procs {
		_ = s.procs[i].node.Multicast(cpg.Guarantee(i%2), []byte{byte(i)})
	}
	s.w.RunFor(2 * time.Second)
	if after := s.rings(); after != before {
		return 0, fmt.Errorf("settled, and then changed rings %d times", after-before)
	}
	return settled, nil
}

// rings counts the rings that all nodes have installed.
func (s *settling) rings() uint64 {
	sum := uint64(0)
	for _, p := range s.procs {
		sum += p.node.Stats().Rings
	}
	return sum
}

// cutBound is the bound of DESIGN.md, "Settling". With relays a route may have to be replaced first.
func (s *settling) cutBound() time.Duration {
	bound := SettleBound(DefaultTimers(testToken), len(s.procs), s.w.Latency)
	if s.relay {
		bound += testToken / 2
	}
	return bound
}

// TestSettlesUnderAnyReachability: full mesh, a random directed matrix, another one, full mesh. After each
// change the rings must be the best ones within the bound, and stay.
func TestSettlesUnderAnyReachability(t *testing.T) { settleMatrices(t, false) }

// settleMatrices is TestSettlesUnderAnyReachability, with relays or without.
func settleMatrices(t *testing.T, relay bool) {
	runs := thorough.Count(20, 3000)
	if *matrixRuns > 0 {
		runs = *matrixRuns
	}
	worst := time.Duration(0)
	for seed := *matrixFirst; seed < *matrixFirst+uint64(runs); seed++ {
		r := rand.New(rand.NewPCG(seed, 11))
		votes := equalVotes(3 + int(seed%7))
		if r.IntN(3) == 0 {
			for i := range votes {
				votes[i] = 1 + r.Uint32N(3)
			}
		}
		s := newSettlingWith(t, votes, relay)
		for phase := range 3 {
			density := 30 + r.IntN(70)
			for a := range s.cut {
				s.cut[a] = 0
				for b := range s.procs {
					if a != b && phase < 2 && r.IntN(100) >= density {
						s.cut[a] |= 1 << b
					}
				}
			}
			bound := s.cutBound()
			if phase == 2 {
				bound = HealBound(DefaultTimers(testToken), 2, len(s.procs), s.w.Latency)
			}
			settled, err := s.settleWithin(bound)
			if err != nil {
				t.Fatalf("phase %d of seed %d, %d nodes, cut %b: %v\nagain: go test ./engine/totem -run %s "+
					"-matrices 1 -matrix %d", phase, seed, len(votes), s.cut, err, t.Name(), seed)
			}
			if phase < 2 {
				worst = max(worst, settled)
			}
		}
		require.Empty(t, s.check.Finish(), "seed %d", seed)
	}
	t.Logf("longest way to the best rings: %v", worst)
}

// cutPair cuts or heals both directions between two nodes.
func (s *settling) cutPair(a, b int, isCut bool) {
	s.cut[a] &^= 1 << b
	s.cut[b] &^= 1 << a
	if isCut {
		s.cut[a] |= 1 << b
		s.cut[b] |= 1 << a
	}
}

// TestNamedCuts are the cases that operators meet, with the ring that has to remain.
func TestNamedCuts(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int
		cut   [][2]int // from, to
		ring  []int
	}{
		{"partition", 3, [][2]int{{1, 3}, {3, 1}, {2, 3}, {3, 2}}, []int{1, 2}},
		{"pair", 3, [][2]int{{1, 3}, {3, 1}}, []int{1, 2}},
		{"one way, 1 to 3", 3, [][2]int{{1, 3}}, []int{1, 2}},
		{"one way, 3 to 1", 3, [][2]int{{3, 1}}, []int{1, 2}},
		{"3 cannot send", 3, [][2]int{{3, 1}, {3, 2}}, []int{1, 2}},
		{"3 cannot receive", 3, [][2]int{{1, 3}, {2, 3}}, []int{1, 2}},
		{"5 hears 4 only", 5, [][2]int{{5, 1}, {5, 2}, {5, 3}, {1, 5}, {2, 5}, {3, 5}}, []int{1, 2, 3, 4}},
		{"a pair that are no neighbours on the ring", 5, [][2]int{{1, 3}, {3, 1}}, []int{1, 2, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSettling(t, equalVotes(c.nodes))
			for _, p := range c.cut {
				s.cut[p[0]-1] |= 1 << (p[1] - 1)
			}
			_, err := s.settleWithin(s.cutBound())
			require.NoError(t, err)
			ids := []ring.NodeID{}
			for _, i := range c.ring {
				ids = append(ids, ring.NodeID(i))
			}
			require.Equal(t, ids, s.procs[c.ring[0]-1].node.Members())
			clear(s.cut)
			_, err = s.settleWithin(HealBound(DefaultTimers(testToken), 1, c.nodes, s.w.Latency))
			require.NoError(t, err)
			require.Empty(t, s.check.Finish())
		})
	}
}

// TestTheExcludedNodeKnowsIt: it records from which ring it is excluded and which link it misses, and when
// that ends.
func TestTheExcludedNodeKnowsIt(t *testing.T) {
	s := newSettling(t, equalVotes(3))
	var got []Excluded
	s.w.OnRecord = func(p *envtest.Proc, r env.Record) {
		if e, is := r.(Excluded); is {
			require.EqualValues(t, 2, p.Self().Machine)
			got = append(got, e)
		}
	}
	s.cutPair(0, 2, true)
	s.w.RunFor(10 * time.Second)
	require.Equal(t, reach.Exclusion{First: []ring.NodeID{1, 2}, Missing: []ring.NodeID{1}},
		s.procs[2].node.Exclusion())
	require.Zero(t, s.procs[1].node.Exclusion())
	s.cutPair(0, 2, false)
	s.w.RunFor(2 * time.Second)
	require.Zero(t, s.procs[2].node.Exclusion())
	require.Len(t, got, 2)
	require.Equal(t, []ring.NodeID{1, 2}, got[0].From)
	require.Equal(t, []ring.NodeID{1}, got[0].Missing)
	require.Empty(t, got[1].From)
}

// TestAnExcludedNodeDisturbsNobody: while a pair is cut, the excluded node's other link comes and goes, and
// its process restarts; the ring of the others stays.
func TestAnExcludedNodeDisturbsNobody(t *testing.T) {
	s := newSettling(t, equalVotes(3))
	s.cutPair(0, 2, true)
	_, err := s.settleWithin(s.cutBound())
	require.NoError(t, err)
	before := s.procs[0].node.Ring()
	for i := range 16 {
		s.cutPair(1, 2, i%2 == 0)
		s.w.RunFor(3500 * time.Millisecond)
		if i%4 == 3 {
			s.kill(2)
			s.boot(2)
		}
	}
	for i := range 2 {
		require.Equal(t, before, s.procs[i].node.Ring())
		require.Equal(t, Operational, s.procs[i].node.State())
	}
	require.Empty(t, s.check.Finish())
}

// TestFlappingPairSettles: a pair that is cut half of the time costs some rings, and then no more.
func TestFlappingPairSettles(t *testing.T) {
	for _, c := range []struct {
		period time.Duration
		rings  uint64        // at most, on all nodes together
		last   time.Duration // the last change of rings is before
	}{
		{200 * time.Millisecond, 20, 15 * time.Second},
		{time.Second, 15, 15 * time.Second},
		{3 * time.Second, 15, 10 * time.Second},
		{5 * time.Second, 20, 15 * time.Second},
		{10 * time.Second, 25, 40 * time.Second},
		{20 * time.Second, 25, 70 * time.Second},
		{30 * time.Second, 25, 100 * time.Second},
	} {
		t.Run(c.period.String(), func(t *testing.T) {
			s := newSettling(t, equalVotes(3))
			began, last, before := s.w.Now(), time.Duration(0), s.rings()
			rings := before
			for s.w.Now()-began < 300*time.Second {
				s.cutPair(0, 2, (s.w.Now()-began)%c.period < c.period/2)
				s.w.RunFor(100 * time.Millisecond)
				if now := s.rings(); now != rings {
					rings, last = now, s.w.Now()-began
				}
			}
			t.Logf("%d rings, the last one at %v", rings-before, last)
			require.LessOrEqual(t, rings-before, c.rings)
			require.LessOrEqual(t, last, c.last)
			require.Empty(t, s.check.Finish())
		})
	}
}

// TestHalvesWithoutQuorumMeetAtOnce: where no part has quorum, no link is held for its flaps.
func TestHalvesWithoutQuorumMeetAtOnce(t *testing.T) {
	s := newSettling(t, equalVotes(4))
	cutHalves := func(isCut bool) {
		for _, a := range []int{0, 1} {
			s.cutPair(a, 2, isCut)
			s.cutPair(a, 3, isCut)
		}
	}
	for range 6 {
		cutHalves(true)
		s.w.RunFor(4 * time.Second)
		require.True(t, s.oneRing(0, 1))
		cutHalves(false)
		s.w.RunFor(6 * time.Second) // links that lost many probes answer well again after 2.8 s
		require.True(t, s.oneRing(0, 1, 2, 3))
	}
	require.Empty(t, s.check.Finish())
}

// TestSlowAndLossyPairsSettle: a pair that loses many packets, or is slower than probes may be, ends outside
// of one ring, and a pair that is only a little so stays in it.
func TestSlowAndLossyPairsSettle(t *testing.T) {
	for _, c := range []struct {
		name    string
		lossPct int           // each way
		slow    time.Duration // each way
		node    bool          // the fault is on all links of the third node, and not only on that to the first
		members int           // of the ring of the first node
		last    time.Duration // the last change of rings is before
	}{
		{"2 percent", 2, 0, false, 3, 0},
		{"30 percent", 30, 0, false, 2, 60 * time.Second},
		{"60 percent", 60, 0, false, 2, 10 * time.Second},
		{"100 ms", 0, 100 * time.Millisecond, false, 3, 0},
		{"300 ms", 0, 300 * time.Millisecond, false, 2, 3 * time.Second},
		{"2 s", 0, 2 * time.Second, false, 2, 3 * time.Second},
		{"a node with 60 percent", 60, 0, true, 2, 10 * time.Second},
		{"a node with 75 ms", 0, 75 * time.Millisecond, true, 3, 0},
		{"a node with 200 ms", 0, 200 * time.Millisecond, true, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSettling(t, equalVotes(3))
			r := rand.New(rand.NewPCG(3, 3))
			isPair := func(from, to env.MachineID) bool {
				return from != to && (from == 2 || to == 2) && (c.node || from != 1 && to != 1)
			}
			s.w.Deliver = func(from, to env.MachineID, _ string, _ []byte) bool {
				return !isPair(from, to) || r.IntN(100) >= c.lossPct
			}
			s.w.Delay = func(from, to env.MachineID, _ string, _ []byte) time.Duration {
				if isPair(from, to) {
					return c.slow
				}
				return 0
			}
			began, last, rings := s.w.Now(), time.Duration(0), s.rings()
			for s.w.Now()-began < 200*time.Second {
				s.w.RunFor(100 * time.Millisecond)
				if now := s.rings(); now != rings {
					rings, last = now, s.w.Now()-began
				}
			}
			t.Logf("%d rings on all nodes, the last one at %v", rings, last)
			require.LessOrEqual(t, last, c.last)
			require.Len(t, s.procs[0].node.Members(), c.members)
			require.Empty(t, s.check.Finish())
		})
	}
}

// TestALateNodeComesBack: a node all of whose packets take longer than the pause between two joins becomes a
// member again after a restart, and the ring lasts.
func TestALateNodeComesBack(t *testing.T) {
	for _, late := range []time.Duration{75 * time.Millisecond, 200 * time.Millisecond} {
		s := newSettling(t, equalVotes(3))
		s.w.Delay = func(from, to env.MachineID, _ string, _ []byte) time.Duration {
			if from != to && (from == 2 || to == 2) {
				return late
			}
			return 0
		}
		s.kill(2)
		s.w.RunFor(5 * time.Second)
		require.True(t, s.oneRing(0, 1))
		s.boot(2)
		s.w.RunFor(HealBound(DefaultTimers(testToken), 1, 3, late))
		require.True(t, s.oneRing(0, 1, 2), "%v late", late)
		before := s.rings()
		s.w.RunFor(30 * time.Second)
		require.Equal(t, before, s.rings(), "%v late", late)
		require.Empty(t, s.check.Finish())
	}
}
