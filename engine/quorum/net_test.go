package quorum

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// world is a cluster of voters whose rings are made by hand: nodes that can talk to each other
// form a ring and deliver each other's messages in one order.
type world struct {
	t       require.TestingT
	configs map[ring.NodeID]Config
	sorted  []ring.NodeID               // ids of configs
	voters  map[ring.NodeID]*Votequorum // nil entry: the node is down
	queue   []sent
	timers  map[ring.NodeID]map[Timer]time.Duration
	persist map[ring.NodeID]uint32
	seq     uint64
	log     func(string) // nil: no log
}

type sent struct {
	from    ring.NodeID
	ring    ring.ID
	payload []byte
}

// newWorld starts n nodes with one vote each; edit changes the configuration before the start.
func newWorld(t require.TestingT, n int, edit func(*Config)) *world {
	w := emptyWorld(t)
	for i := range n {
		cfg := Config{Self: ring.NodeID(i + 1), Votes: 1, ExpectedVotes: uint32(n), NodeVotes: uint32(n),
			Nodes:                 n,
			LastManStandingWindow: 10 * time.Second, DeviceTimeout: 10 * time.Second,
			DeviceSyncTimeout: 30 * time.Second}
		if edit != nil {
			edit(&cfg)
		}
		w.configs[cfg.Self] = cfg
		w.boot(cfg.Self)
	}
	return w
}

func emptyWorld(t require.TestingT) *world {
	return &world{t: t, configs: map[ring.NodeID]Config{}, voters: map[ring.NodeID]*Votequorum{},
		timers: map[ring.NodeID]map[Timer]time.Duration{}, persist: map[ring.NodeID]uint32{}}
}

// ids lists all nodes, also those that are down. The slice is shared.
func (w *world) ids() []ring.NodeID {
	if len(w.sorted) != len(w.configs) {
		w.sorted = nil
		for id := range w.configs {
			w.sorted = append(w.sorted, id)
		}
		w.sorted = ring.Sorted(w.sorted)
	}
	return w.sorted
}

// boot starts a node; it is alone until the next ring.
func (w *world) boot(id ring.NodeID) {
	cfg := w.configs[id]
	cfg.TrackedExpected = w.persist[id]
	m, out, err := New(cfg)
	require.NoError(w.t, err)
	w.voters[id] = m
	w.timers[id] = map[Timer]time.Duration{}
	w.do(id, out, nil)
}

func (w *world) kill(id ring.NodeID) { w.voters[id] = nil; w.timers[id] = nil }

// do carries out an output.
func (w *world) do(id ring.NodeID, out Output, err error) {
	if err != nil { // asking first: most of the time of the enumerations would go there
		require.NoError(w.t, err)
	}
	if out.HavePersist {
		w.persist[id] = out.Persist
	}
	for _, payload := range out.Multicast {
		w.queue = append(w.queue, sent{id, w.voters[id].ring, payload})
	}
	for _, c := range out.Timers {
		delete(w.timers[id], c.Timer)
		if c.Set {
			w.timers[id][c.Timer] = c.After
		}
	}
	if w.log == nil {
		return
	}
	for _, l := range out.Log {
		if l.Level != Debug {
			w.log(fmt.Sprintf("%d: %s", id, l))
		}
	}
	for _, c := range out.Timers {
		if c.Set {
			w.log(fmt.Sprintf("%d: timer %v %v", id, c.Timer, c.After))
		} else {
			w.log(fmt.Sprintf("%d: timer %v stopped", id, c.Timer))
		}
	}
	if out.HavePersist {
		w.log(fmt.Sprintf("%d: persist expected votes %d", id, out.Persist))
	}
	if v := out.Decision; out.Announce {
		w.log(fmt.Sprintf("%d: verdict ring %v quorate=%v votes=%d expected=%d quorum=%d", id, v.Ring,
			v.Quorate,
			v.Votes, v.Expected, v.Quorum))
	}
}

// form makes a ring of the nodes that are up among members, and lets all messages through.
func (w *world) form(members ...ring.NodeID) {
	w.start(members...)
	w.settle()
}

// start makes the ring but delivers nothing.
func (w *world) start(members ...ring.NodeID) {
	up := slices.DeleteFunc(ring.Sorted(members), func(id ring.NodeID) bool { return w.voters[id] == nil })
	if len(up) == 0 {
		return
	}
	w.seq += 4
	id := ring.ID{Seq: w.seq, Rep: up[0]}
	for _, n := range up {
		w.do(n, w.voters[n].StartRing(id, up), nil)
	}
}

// settle delivers until nothing is left; messages of rings that are gone are dropped.
func (w *world) settle() {
	for range 10000 {
		if len(w.queue) == 0 {
			return
		}
		s := w.queue[0]
		w.queue = w.queue[1:]
		for _, id := range w.ids() {
			if m := w.voters[id]; m != nil && m.ring == s.ring {
				out, err := m.Deliver(s.from, s.payload)
				w.do(id, out, err)
			}
		}
	}
	require.Fail(w.t, "the voters never stop talking")
}

// fire lets a timer of every node of a ring expire, if it is set.
func (w *world) fire(timer Timer, ids ...ring.NodeID) {
	for _, id := range ids {
		if _, set := w.timers[id][timer]; set {
			delete(w.timers[id], timer)
			w.do(id, w.voters[id].TimerExpired(timer), nil)
		}
	}
	w.settle()
}

// split makes one ring of each group.
func (w *world) split(groups ...[]ring.NodeID) {
	for _, g := range groups {
		w.start(g...)
	}
	w.settle()
}

func (w *world) quorate(id ring.NodeID) bool {
	m := w.voters[id]
	return m != nil && !m.Syncing() && m.quorate
}

// quorateSides counts the rings with a quorate member.
func (w *world) quorateSides() int {
	var rings []ring.ID
	for _, id := range w.ids() {
		if w.quorate(id) && !slices.Contains(rings, w.voters[id].ring) {
			rings = append(rings, w.voters[id].ring)
		}
	}
	return len(rings)
}

// agree checks that members of a ring judge alike.
func (w *world) agree() error {
	for _, id := range w.ids() {
		m := w.voters[id]
		if m == nil || m.members[0] == id || w.voters[m.members[0]] == nil {
			continue
		}
		first := w.voters[m.members[0]]
		if m.ring == first.ring && (m.quorate != first.quorate || m.quorumVotes != first.quorumVotes ||
			m.ownEntry().effectiveExpected != first.ownEntry().effectiveExpected) {
			return fmt.Errorf("ring %v: %+v and node %d: %+v", m.ring, first.Decision(), id, m.Decision())
		}
	}
	return nil
}

// clone copies the world so that a branch can go on from here.
func (w *world) clone() *world {
	c := emptyWorld(w.t)
	c.configs, c.sorted, c.seq = w.configs, w.sorted, w.seq
	for id, m := range w.voters {
		if m == nil {
			c.voters[id] = nil
			continue
		}
		copied := *m
		copied.nodes = slices.Clone(m.nodes)
		c.voters[id] = &copied
		c.timers[id] = map[Timer]time.Duration{}
		for t, d := range w.timers[id] {
			c.timers[id][t] = d
		}
	}
	for id, p := range w.persist {
		c.persist[id] = p
	}
	return c
}

func group(ids ...ring.NodeID) []ring.NodeID { return ids }

// partitions lists all ways to cut nodes 1..n into groups.
func partitions(n int) [][][]ring.NodeID {
	if n == 0 {
		return [][][]ring.NodeID{nil}
	}
	var out [][][]ring.NodeID
	for _, p := range partitions(n - 1) {
		for i := range p {
			q := slices.Clone(p)
			q[i] = append(slices.Clone(p[i]), ring.NodeID(n))
			out = append(out, q)
		}
		out = append(out, append(slices.Clone(p), group(ring.NodeID(n))))
	}
	return out
}

func names(groups [][]ring.NodeID) string {
	var parts []string
	for _, g := range groups {
		parts = append(parts, strings.ReplaceAll(formatIDs(g), " ", ""))
	}
	return strings.Join(parts, "|")
}

func TestPartitionsOfSeven(t *testing.T) {
	for n, bell := range []int{1, 1, 2, 5, 15, 52, 203, 877} {
		require.Len(t, partitions(n), bell)
	}
}
