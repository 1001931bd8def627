package evs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
	. "github.com/holdfast-sim/holdfast/engine/totem/evs"
)

// history writes records shortly.
type history struct{ records []env.Record }

func nodes(ids ...ring.NodeID) []ring.NodeID { return ids }

func rid(seq uint64, rep ring.NodeID) ring.ID { return ring.ID{Seq: seq, Rep: rep} }

func (h *history) add(r env.Record) *history { h.records = append(h.records, r); return h }

func (h *history) start(n ring.NodeID, seq uint64, fresh bool) *history {
	return h.add(totem.Started{Node: n, RingSeq: seq, Fresh: fresh})
}

func (h *history) regular(id ring.ID, members []ring.NodeID, at ...ring.NodeID) *history {
	for _, n := range at {
		h.add(totem.Membership{Node: n, Kind: cpg.Regular, Ring: id, Members: members})
	}
	return h
}

func (h *history) trans(id ring.ID, members []ring.NodeID, at ...ring.NodeID) *history {
	for _, n := range at {
		h.add(totem.Membership{Node: n, Kind: cpg.Transitional, Ring: id, Members: members})
	}
	return h
}

func (h *history) send(n ring.NodeID, id ring.ID, ordinal uint64, g cpg.Guarantee) *history {
	return h.add(totem.Sent{Node: n, Ring: id, Ordinal: ordinal, Guarantee: g, Digest: ordinal})
}

func (h *history) deliver(id ring.ID, ordinal uint64, from ring.NodeID, g cpg.Guarantee, trans bool,
	at ...ring.NodeID) *history {
	for _, n := range at {
		h.add(totem.Delivered{Node: n, Ring: id, Ordinal: ordinal, From: from, Guarantee: g,
			Transitional: trans, Digest: ordinal})
	}
	return h
}

func (h *history) rules() []Rule {
	c := New()
	for _, r := range h.records {
		c.Observe(0, r)
	}
	var rules []Rule
	for _, v := range c.Finish() {
		rules = append(rules, v.Rule)
	}
	return rules
}

var (
	r1, r2, r3 = rid(4, 1), rid(8, 1), rid(12, 2)
	all        = nodes(1, 2, 3)
)

// formed is three nodes in ring r1.
func formed() *history {
	return (&history{}).start(1, 0, true).start(2, 0, true).start(3, 0, true).regular(r1, all, 1, 2, 3)
}

func TestAGoodHistory(t *testing.T) {
	h := formed().
		send(1, r1, 1, cpg.Agreed).deliver(r1, 1, 1, cpg.Agreed, false, 1, 2, 3).
		send(2, r1, 2, cpg.Safe).deliver(r1, 2, 2, cpg.Safe, false, 2, 1).
		send(1, r1, 3, cpg.Agreed).
		trans(r1, nodes(1, 2), 1, 2).
		deliver(r1, 3, 1, cpg.Agreed, true, 1, 2).
		regular(r2, nodes(1, 2), 1, 2).
		send(2, r2, 1, cpg.Agreed).deliver(r2, 1, 2, cpg.Agreed, false, 1, 2).
		start(3, 4, false).regular(rid(8, 3), nodes(3), 3).
		trans(r2, nodes(1, 2), 1, 2).trans(rid(8, 3), nodes(3), 3).
		regular(rid(12, 1), all, 1, 2, 3)
	require.Empty(t, h.rules())
}

// moved lets all three nodes move together from r1 to r2.
func moved(h *history) *history { return h.trans(r1, all, 1, 2, 3).regular(r2, all, 1, 2, 3) }

// plantedBreaches has one history for each way to break each rule.
var plantedBreaches = []struct {
	name string
	rule Rule
	h    *history
}{
	{"an older ring is installed", Monotonic, formed().trans(r1, all, 1).regular(rid(4, 1), all, 1)},
	{"the ring sequence is forgotten over a restart", Monotonic, formed().start(2, 0, false)},
	{"a lower ring after a restart", Monotonic, formed().start(2, 4, false).regular(rid(3, 2), nodes(2),
		2)},
	{"two memberships of one ring", OneMembership, formed().trans(r1, all, 1, 2).regular(r2, all,
		1).regular(r2, nodes(1, 2), 2)},
	{"a ring without the node that installs it", OneMembership, (&history{}).start(3, 0,
		true).regular(r1, nodes(1, 2), 3)},
	{"different companions on the same way", OneMembership, formed().
		trans(r1, all, 1).trans(r1, nodes(2, 3), 2).regular(r2, all, 1, 2)},
	{"a companion that came from elsewhere", OneMembership, formed().regular(rid(5, 4), nodes(4), 4).
		trans(r1, all, 1, 2).trans(rid(5, 4), nodes(4), 4).
		regular(rid(8, 1), nodes(1, 2, 4), 1).
		start(2, 4, false).regular(rid(6, 2), nodes(2), 2).trans(rid(6, 2), nodes(2), 2).regular(rid(8,
		1), nodes(1, 2, 4), 2)},
	{"a stranger in the transitional configuration", OneMembership, formed().trans(r1, nodes(1, 2, 9),
		1)},
	{"not in one's own transitional configuration", OneMembership, formed().trans(r1, nodes(2, 3), 1)},
	{"two transitional configurations", Sequence, formed().trans(r1, all, 1).trans(r1, all, 1)},
	{"a transitional one of another ring", Sequence, formed().trans(r2, all, 1)},
	{"regular after regular", Sequence, formed().regular(r2, all, 1)},
	{"delivered in the next ring", RightConfiguration, moved(formed().send(1, r1, 1, cpg.Agreed).
		deliver(r1, 1, 1, cpg.Agreed, false, 1)).deliver(r1, 1, 1, cpg.Agreed, false, 2)},
	{"said to be transitional and is not", RightConfiguration, formed().send(1, r1, 1, cpg.Agreed).
		deliver(r1, 1, 1, cpg.Agreed, true, 2)},
	{"sent between the configurations", RightConfiguration, formed().trans(r1, all, 1).send(1, r1, 1,
		cpg.Agreed)},
	{"delivered before lower places", TotalOrder, formed().send(1, r1, 1, cpg.Agreed).send(1, r1, 2,
		cpg.Agreed).
		deliver(r1, 2, 1, cpg.Agreed, false, 2)},
	{"delivered backwards", TotalOrder, formed().send(1, r1, 1, cpg.Agreed).send(1, r1, 2, cpg.Agreed).
		deliver(r1, 2, 1, cpg.Agreed, false, 2).deliver(r1, 1, 1, cpg.Agreed, false, 2)},
	{"another message in the same place", TotalOrder, formed().send(1, r1, 1, cpg.Agreed).
		add(totem.Delivered{Node: 2, Ring: r1, Ordinal: 1, From: 1, Digest: 99})},
	{"one place for two messages", TotalOrder, formed().send(1, r1, 1, cpg.Agreed).send(2, r1, 1,
		cpg.Agreed)},
	{"delivered twice", NoDuplicates, formed().send(1, r1, 1, cpg.Agreed).deliver(r1, 1, 1, cpg.Agreed,
		false, 2, 2)},
	{"never sent", Integrity, formed().deliver(r1, 1, 1, cpg.Agreed, false, 2)},
	{"from a stranger", Integrity, formed().deliver(r1, 1, 9, cpg.Agreed, false, 2)},
	{"own message not delivered", SelfDelivery, moved(formed().send(1, r1, 1, cpg.Agreed))},
	{"without what the sender had seen", Causal, formed().send(1, r1, 1, cpg.Agreed).
		deliver(r1, 1, 1, cpg.Agreed, false, 1).send(1, r1, 2, cpg.Agreed).
		trans(r1, all, 2).deliver(r1, 2, 1, cpg.Agreed, true, 2)},
	{"companions with different messages", VirtualSynchrony, moved(formed().send(1, r1, 1, cpg.Agreed).
		deliver(r1, 1, 1, cpg.Agreed, false, 1, 2))},
	{"companions with the same messages in different configurations", VirtualSynchrony, formed().
		send(1, r1, 1, cpg.Agreed).deliver(r1, 1, 1, cpg.Agreed, false, 1).
		trans(r1, all, 1, 2).deliver(r1, 1, 1, cpg.Agreed, true, 2).regular(r2, all, 1, 2)},
	{"safe here, unknown to a member that moves on elsewhere", Safe, formed().send(1, r1, 1, cpg.Safe).
		deliver(r1, 1, 1, cpg.Safe, false, 1, 2).trans(r1, nodes(3), 3).regular(rid(8, 3), nodes(3), 3)},
	{"a member moved on before the others delivered as safe", Safe, formed().
		trans(r1, nodes(3), 3).regular(rid(8, 3), nodes(3), 3).
		send(1, r1, 1, cpg.Safe).deliver(r1, 1, 1, cpg.Safe, false, 1)},
	{"safe for the companions, and one of them goes another way without it", Safe, formed().
		send(1, r1, 1, cpg.Safe).trans(r1, nodes(1, 2), 1).deliver(r1, 1, 1, cpg.Safe, true, 1).
		regular(r2, nodes(1, 2), 1).trans(r1, nodes(2), 2).regular(r3, nodes(2), 2)},
}

func TestPlantedBreaches(t *testing.T) {
	covered := map[Rule]bool{}
	for _, c := range plantedBreaches {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, c.h.rules(), c.rule)
		})
		covered[c.rule] = true
	}
	for _, r := range []Rule{Monotonic, OneMembership, Sequence, RightConfiguration, TotalOrder, NoDuplicates,
		Integrity, SelfDelivery, Causal, VirtualSynchrony, Safe} {
		require.True(t, covered[r], "no planted breach of %s", r)
	}
}

func TestWipedNodeStartsANewHistory(t *testing.T) {
	solo := rid(4, 1)
	h := (&history{}).start(1, 0, true).regular(solo, nodes(1), 1).
		send(1, solo, 1, cpg.Agreed).deliver(solo, 1, 1, cpg.Agreed, false, 1).
		start(1, 0, true).regular(solo, nodes(1), 1).
		add(totem.Sent{Node: 1, Ring: solo, Ordinal: 1, Digest: 77}).
		add(totem.Delivered{Node: 1, Ring: solo, Ordinal: 1, From: 1, Digest: 77})
	require.Empty(t, h.rules())
}

func TestACrashedNodeHasNoObligations(t *testing.T) {
	h := formed().send(3, r1, 1, cpg.Safe).deliver(r1, 1, 3, cpg.Safe, false, 1).
		start(3, 4, false).regular(rid(8, 3), nodes(3), 3)
	require.Empty(t, h.rules())
}

func TestLastRecordsOfAKilledProcess(t *testing.T) {
	lost := formed().deliver(r1, 1, 3, cpg.Agreed, false, 1, 2) // 3 was killed before it could write
	moved := formed().deliver(r1, 1, 3, cpg.Agreed, false, 1, 2, 3).
		add(totem.Sent{Node: 3, Ring: r1, Ordinal: 2}).deliver(r1, 2, 3, cpg.Agreed, false, 3).
		trans(r1, nodes(3), 3).regular(rid(8, 3), nodes(3), 3)
	for _, c := range []struct {
		h       *history
		partial bool
		want    bool
	}{{lost, false, true}, {lost, true, false}, {moved, true, true}} {
		checker := New()
		if c.partial {
			checker.AllowMissingTail()
		}
		for _, r := range c.h.records {
			checker.Observe(0, r)
		}
		found := false
		for _, v := range checker.Finish() {
			found = found || v.Rule == Integrity
		}
		require.Equal(t, c.want, found)
	}
}

func TestViolationsAreBounded(t *testing.T) {
	c := New()
	for range MaxViolations + 10 {
		c.Observe(0, totem.Delivered{Node: 1, Ring: r1, Ordinal: 1, From: 1})
	}
	require.Len(t, c.Violations(), MaxViolations)
	require.Equal(t, 10, c.Dropped())
}

func BenchmarkObserve(b *testing.B) {
	c := New()
	for _, r := range formed().records {
		c.Observe(0, r)
	}
	b.ReportAllocs()
	ordinal := uint64(0)
	for b.Loop() {
		ordinal++
		c.Observe(0, totem.Sent{Node: 1, Ring: r1, Ordinal: ordinal})
		for n := ring.NodeID(1); n <= 3; n++ {
			c.Observe(0, totem.Delivered{Node: n, Ring: r1, Ordinal: ordinal, From: 1})
		}
	}
}
