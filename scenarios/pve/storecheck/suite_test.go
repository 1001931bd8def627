package storecheck_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

const (
	valid   = linearizability.Valid
	invalid = linearizability.Invalid
	unknown = linearizability.Unknown
)

// verdict is what a check that New makes thinks of a story, of clients' events and of final answers.
func (s *story) verdict(t *testing.T, checker string, events []history.Event,
	finals ...scenarios.Final) linearizability.Verdict {
	t.Helper()
	c := three
	c.Others = haspec.IsRequest
	suite := storecheck.New(c)
	for _, r := range s.records {
		suite.Observe(r)
	}
	for _, v := range suite.Check(t.Context(), &scenarios.Run{Backend: "sim", Events: events, Finals: finals,
		Scenario: &scenarios.Scenario{Machines: three.Machines, Quiescence: time.Second}}) {
		if v.Checker == checker {
			return v
		}
	}
	t.Fatalf("there is no check %s", checker)
	return linearizability.Verdict{}
}

func TestQuorumOfTwoPartitions(t *testing.T) {
	quorate := func(id ring.ID, members ...ring.NodeID) node.QuorumView {
		return node.QuorumView{Ring: id, Members: members, Quorate: true}
	}
	one, two := quorate(first, 1), quorate(second, 2, 3)
	v := (&story{}).add(one, 0).add(two, 1).verdict(t, "quorum", nil)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, linearizability.SplitBrain, v.Violations[0].Kind)
	v = (&story{}).add(one, 0).add(node.QuorumView{}, 0).add(two, 1).verdict(t, "quorum", nil)
	require.Equal(t, valid, v.Validity, "one after the other")
	require.Equal(t, "never two quorate partitions, in 2 quorate rings", v.Summary)
	v = (&story{}).add(quorate(first, 1, 2), 0).add(two, 1).verdict(t, "quorum", nil)
	require.Equal(t, valid, v.Validity, "they share a member, which has left one of them")
}

func TestMembershipIsOneForEachRing(t *testing.T) {
	ringOf := func(node ring.NodeID, members ...ring.NodeID) totem.Membership {
		return totem.Membership{Node: node, Ring: first, Kind: cpg.Regular, Members: members}
	}
	v := (&story{}).add(ringOf(1, 1, 2), 0).add(ringOf(2, 1, 2), 1).verdict(t, "membership", nil)
	require.Equal(t, valid, v.Validity, v.Summary)
	v = (&story{}).add(ringOf(1, 1, 2), 0).add(ringOf(2, 2, 3), 1).verdict(t, "membership", nil)
	require.Equal(t, invalid, v.Validity, "one ring with two memberships")
}

// write is a write of a client that succeeded, and read a read that found a value.
func write(revision uint64, value string) []history.Event {
	e := history.Event{Process: int(revision), Type: history.Invoke, Time: int64(revision * 10),
		F:   workload.Write,
		Key: "a", ID: value, Value: workload.JSON(value)}
	ok := e
	ok.Type, ok.Time, ok.Rev, ok.Mod = history.OK, e.Time+1, revision, revision
	return []history.Event{e, ok}
}

func TestHistoryMustMatchASingleCopy(t *testing.T) {
	applied := store.Applied{Epoch: first, Revision: 1, Request: "x", Op: "write", Path: "a", Chain: "c1"}
	s := (&story{}).install(first, everybody, 0, 0, 1, 2).add(applied, 0, 1)
	v := s.verdict(t, "store", write(1, "x"))
	require.Equal(t, valid, v.Validity, v.Summary)
	v = s.verdict(t, "store", append(write(1, "x"), write(2, "y")...))
	require.Equal(t, invalid, v.Validity, "no store has the second write")
	request := history.Event{Process: 9, Type: history.Invoke, Time: 1, F: haspec.RequestStop, Key: "vm:100",
		ID: "h"}
	v = s.verdict(t, "store", append([]history.Event{request}, write(1, "x")...))
	require.Equal(t, valid, v.Validity, "a request for a service is none to the store")
}

// localRead is a local read of the first machine.
func localRead(at int64, revision uint64, value string) []history.Event {
	e := history.Event{Process: int(at), Type: history.Invoke, Time: at, F: workload.ReadLocal,
		Key: "a", Node: "n1"}
	ok := e
	ok.Type, ok.Time, ok.Rev, ok.Mod = history.OK, at+1, revision, revision
	if value != "" {
		ok.Value = workload.JSON(value)
	}
	return []history.Event{e, ok}
}

// TestLocalReadsAfterADiskLostItsLog: a store that starts with less than it had may answer from what is left,
// unless it does not even know its cluster.
func TestLocalReadsAfterADiskLostItsLog(t *testing.T) {
	applied := store.Applied{Epoch: first, Revision: 1, Request: "x", Op: "write", Path: "a", Chain: "c1"}
	begun := func() *story {
		return (&story{}).add(store.Opened{}, 0, 1, 2).install(first, everybody, 0, 0, 1,
			2).add(applied, 0, 1, 2)
	}
	events := slices.Concat(write(1, "x"), localRead(100, 1, "x"), localRead(200, 0, ""))
	v := begun().verdict(t, "store", events)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, linearizability.RevisionRegression, v.Violations[0].Kind)
	v = begun().add(store.Opened{Epoch: first}, 0).verdict(t, "store", events)
	require.Equal(t, valid, v.Validity, v.Summary)
	v = begun().add(store.Opened{}, 0).verdict(t, "store", events)
	require.Equal(t, invalid, v.Validity, "it was never in a cluster")
	v = begun().add(store.Opened{Epoch: first, Revision: 1}, 0).verdict(t, "store", events)
	require.Equal(t, invalid, v.Validity, "it has lost nothing")
}

// answer is what a machine answers after quiescence.
func answer(m int, f string, r store.Response) scenarios.Final {
	return scenarios.Final{Machine: env.MachineID(m), Op: workload.Op{F: f}, Output: r.Encode()}
}

func TestRecoveryNeedsEveryMachine(t *testing.T) {
	fine, missing := store.Response{OK: true}, store.Response{Code: tree.NotFound}
	refused := store.Response{Code: store.CodeNoQuorum, Message: "no quorum"}
	s := &story{}
	require.Equal(t, valid, s.verdict(t, "recovery", nil, answer(0, "read", fine),
		answer(1, "read", missing)).Validity)
	v := s.verdict(t, "recovery", nil, answer(0, "read", fine), answer(1, "read", refused))
	require.Equal(t, invalid, v.Validity)
	require.Contains(t, v.Summary, "n2 does not serve 1s after the last fault")
	unreadable := answer(0, "read", fine)
	unreadable.Output = []byte("?")
	require.Equal(t, invalid, s.verdict(t, "recovery", nil, unreadable).Validity)
	silent := scenarios.Final{Err: context.DeadlineExceeded}
	require.Equal(t, invalid, s.verdict(t, "recovery", nil, silent).Validity)
}

func TestTreesAreEqual(t *testing.T) {
	at := func(revision uint64, digest string) store.Response {
		return store.Response{OK: true, Revision: revision, Digest: digest, Chain: "c"}
	}
	s := &story{}
	require.Equal(t, unknown, s.verdict(t, "trees", nil).Validity)
	v := s.verdict(t, "trees", nil, answer(0, storecheck.FinalDigest, at(7, "x")),
		answer(1, storecheck.FinalDigest, at(7, "x")), answer(2, storecheck.FinalDigest, at(8, "y")))
	require.Equal(t, valid, v.Validity, v.Summary)
	v = s.verdict(t, "trees", nil, answer(0, storecheck.FinalDigest, at(7, "x")),
		answer(1, storecheck.FinalDigest, at(7, "y")))
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, "n1 and n2 hold different trees at revision 7", v.Summary)
}

// TestStoreAndVotequorumAgree: a store that accepts changes where votequorum has no quorum is a violation; a
// store that is behind is judged by what votequorum had decided on the ring that it is in.
func TestStoreAndVotequorumAgree(t *testing.T) {
	view := func(id ring.ID, quorate bool) node.QuorumView {
		return node.QuorumView{Ring: id, Members: []ring.NodeID{1, 2}, Quorate: quorate, Votes: 2,
			Expected: 5, Quorum: 3}
	}
	writable := func(id ring.ID) store.Writable { return store.Writable{Ring: id, Writable: true} }
	v := (&story{}).add(view(first, false), 0).add(writable(first), 0).verdict(t, "quorum", nil)
	require.Equal(t, invalid, v.Validity)
	require.Contains(t, v.Violations[0].Explain, "2 of 5 expected votes, 3 needed")
	v = (&story{}).add(writable(first), 0).verdict(t, "quorum", nil)
	require.Equal(t, invalid, v.Validity, "nothing was decided")
	v = (&story{}).add(view(first, true), 0).add(view(second, false), 0).add(writable(first), 0).
		verdict(t, "quorum", nil)
	require.Equal(t, valid, v.Validity, "it is behind")
}

// TestARingOfANumberThatComesAgain: where a disk has forgotten the ring's sequence, its machine may form two
// rings of one number, also of other machines. Elsewhere that is a breach of the order.
func TestARingOfANumberThatComesAgain(t *testing.T) {
	for kind, want := range map[fault.Kind]linearizability.Validity{fault.DiskRollback: valid,
		fault.PowerCut: invalid} {
		s := &story{}
		for digest := range uint64(2) {
			s.add(totem.Started{Node: 1}, 0)
			s.add(totem.Membership{Node: 1, Ring: first, Kind: cpg.Regular,
				Members: []ring.NodeID{1, 2}[:1+digest]}, 0)
			s.add(totem.Sent{Node: 1, Ring: first, Ordinal: 1, Digest: digest}, 0)
			s.add(totem.Delivered{Node: 1, Ring: first, From: 1, Ordinal: 1, Digest: digest}, 0)
		}
		suite := storecheck.New(three)
		for _, r := range s.records {
			suite.Observe(r)
		}
		run := &scenarios.Run{Backend: "sim", Scenario: &scenarios.Scenario{Machines: three.Machines},
			Applied: []scenarios.Applied{{Fault: fault.Fault{Kind: kind, Machines: []string{"n1"}}}}}
		for _, v := range suite.Check(t.Context(), run) {
			if v.Checker == "membership" {
				require.Equal(t, want, v.Validity, "%s: %s %v", kind, v.Summary, v.Details)
			}
		}
	}
}
