package storecheck_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// three is a cluster of three machines with one vote each.
var three = storecheck.Cluster{Machines: []string{"n1", "n2", "n3"}, Nodes: everybody,
	Votes: []uint32{1, 1, 1}, Token: time.Second, Consensus: 1200 * time.Millisecond}

// story writes the records of its machines.
type story struct{ records []scenarios.Stamped }

var (
	first, second, third = ring.ID{Seq: 4, Rep: 1}, ring.ID{Seq: 8, Rep: 1}, ring.ID{Seq: 12, Rep: 2}
	everybody            = []ring.NodeID{1, 2, 3}
)

func (s *story) add(r env.Record, machines ...env.MachineID) *story {
	for _, m := range machines {
		at := time.Duration(len(s.records)) * time.Millisecond
		s.records = append(s.records, scenarios.Stamped{At: at, Machine: m, Process: store.Process,
			Record: r})
	}
	return s
}

func (s *story) install(id ring.ID, x []ring.NodeID, rev uint64, machines ...env.MachineID) *story {
	return s.add(store.Installed{Epoch: id, Members: x, Source: x[0], Revision: rev, How: "same",
		Role: store.RoleVoter}, machines...)
}

func (s *story) apply(id ring.ID, rev uint64, machines ...env.MachineID) *story {
	return s.add(store.Applied{Epoch: id, Revision: rev, Op: "write", Path: "a"}, machines...)
}

func (s *story) acknowledge(id ring.ID, rev uint64, machine env.MachineID) *story {
	return s.add(store.Acknowledged{Epoch: id, Revision: rev, Request: "r"}, machine)
}

func (s *story) answer(id ring.ID, rev uint64, code string, machine env.MachineID) *story {
	return s.add(store.Answered{Epoch: id, Revision: rev, Request: "q", Op: "read", Code: code}, machine)
}

func (s *story) leave(machines ...env.MachineID) *story {
	return s.add(store.Writable{}, machines...)
}

// judge is the verdict of the check of epochs.
func (s *story) judge(t *testing.T) linearizability.Verdict {
	t.Helper()
	return s.judgeIn(t, "sim")
}

func (s *story) judgeIn(t *testing.T, backend string) linearizability.Verdict {
	t.Helper()
	suite := storecheck.With(three, storecheck.NewEpochs(three))
	for _, r := range s.records {
		require.NoError(t, suite.Record(r))
	}
	return suite.Check(t.Context(), &scenarios.Run{Backend: backend})[0]
}

// disk gives the last record of each machine that the story added what its disk had made durable.
func (s *story) disk(syncedWrites uint64, machines int) *story {
	for i := len(s.records) - machines; i < len(s.records); i++ {
		s.records[i].Disk = &scenarios.DiskState{SyncedWrites: syncedWrites}
	}
	return s
}

// begun is a cluster of three at revision 2, of which 1 and 2 have all.
func begun() *story {
	return (&story{}).install(first, everybody, 0, 0, 1, 2).
		apply(first, 1, 0, 1, 2).acknowledge(first, 1, 0).apply(first, 2, 0, 1).acknowledge(first, 2, 1)
}

func TestEpochsOfAValidRun(t *testing.T) {
	s := begun().answer(first, 2, "", 0).answer(first, 0, string(store.CodeNoQuorum), 2).
		// emitted again
		add(store.Opened{Revision: 1, Epoch: first}, 2).disk(5, 1).apply(first, 1, 2).disk(5, 1).
		leave(0, 2).install(second, []ring.NodeID{1, 3}, 2, 0).
		// A change that the old ring has on enough disks may still be answered there.
		answer(first, 2, "not_found", 1).
		install(second, []ring.NodeID{1, 3}, 2, 2).apply(second, 3, 2, 0).acknowledge(second, 3, 2).
		leave(0, 1, 2).install(third, []ring.NodeID{2, 3}, 3, 2).install(third, []ring.NodeID{2, 3}, 3, 1).
		install(third, []ring.NodeID{2, 3}, 4, 0) // later than the others, with what was applied since
	v := s.judge(t)
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	require.Equal(t, "5 answers: each durable on a write quorum; each of 3 epochs contains all earlier "+
		"acknowledged writes", v.Summary)
}

func TestEpochsOfPlantedBreaches(t *testing.T) {
	cases := []struct {
		name, says string
		kind       linearizability.Kind
		s          *story
	}{
		{"on one disk", "answers r at revision 3 of epoch 1.4 while 1 votes have that on disk: 2 are needed",
			linearizability.LostWrite, begun().apply(first, 3, 0).acknowledge(first, 3, 0)},
		{"read from one disk", "answers q at revision 3", linearizability.LostWrite,
			begun().apply(first, 3, 0).answer(first, 3, "", 0)},
		{"refused by what is on one disk", "answers q at revision 3", linearizability.LostWrite,
			begun().apply(first, 3, 0).answer(first, 3, "revision_mismatch", 0)},
		{"a learner's disk does not count", "while 1 votes have that", linearizability.LostWrite,
			begun().add(store.RoleChanged{Role: store.RoleLearner}, 1).answer(first, 2, "", 0)},
		{"decided by a minority", "decided by the reports of nodes [3]: 1 votes, and 2 are needed",
			linearizability.SplitBrain, begun().leave(2).install(second, []ring.NodeID{3}, 1, 2)},
		{"decided twice", "begins twice", linearizability.SplitBrain,
			begun().leave(0, 2).install(second, []ring.NodeID{1, 3}, 2, 0).install(second,
				[]ring.NodeID{2, 3}, 2, 2)},
		{"begins without the last change",
			"revision 2 was answered in epoch 1.4, and the later epoch 1.8 begins at revision 1",
			linearizability.LostWrite, begun().leave(1, 2).install(second, []ring.NodeID{2, 3}, 1, 2)},
		{"answered late in an old ring",
			"revision 3 was answered in epoch 1.4, and the later epoch 1.8 begins at revision 2",
			linearizability.LostWrite, begun().leave(2).install(second, []ring.NodeID{2, 3}, 2, 2).
				apply(first, 3, 0, 1).acknowledge(first, 3, 0)},
		{"installed again behind what it confirmed", "after it had confirmed revision 2",
			linearizability.LostWrite,
			begun().install(first, everybody, 0, 0)},
		{"applied after the report", "applies revision 3 in epoch 1.4, which it is not in",
			linearizability.SplitBrain,
			begun().leave(0).apply(first, 3, 0)},
		{"applied after a disk error", "which it is not in", linearizability.SplitBrain,
			begun().add(store.Failed{Reason: "io"}, 0).apply(first, 3, 0)},
		{"a revision left out", "applies revision 4 in epoch 1.4 after revision 2",
			linearizability.SplitBrain,
			begun().apply(first, 4, 0)},
		{"started without what its disk was counted for",
			"n1 starts with revision 1, although its disk was counted when revision 2 was answered",
			linearizability.LostWrite, begun().add(store.Opened{Revision: 1, Epoch: first}, 0)},
		{"reported durable without a write",
			"n1 reports revision 4 of epoch 1.4 as durable, and its disk has taken no write since",
			linearizability.LostWrite, begun().apply(first, 3, 0).disk(7, 1).apply(first, 4, 0).disk(7, 1)},
		{"applied after a restart", "applies revision 3 in epoch 1.4, which it is not in",
			linearizability.SplitBrain,
			begun().add(store.Opened{Revision: 2, Epoch: first}, 0).apply(first, 2, 0).apply(first, 3, 0)},
		{"an epoch that no node has", "which no node has installed", linearizability.Phantom,
			begun().acknowledge(third, 2, 0)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := c.s.judge(t)
			require.Equal(t, linearizability.Invalid, v.Validity, v.Summary)
			require.Contains(t, v.Summary, c.says)
			require.Equal(t, c.kind, v.Violations[0].Kind)
		})
	}
}

// On real nodes a killed machine may have had on disk what it did not come to record.
func TestEpochsWhereRecordsMayBeMissing(t *testing.T) {
	v := begun().apply(first, 3, 0).acknowledge(first, 3, 0).judgeIn(t, "netns")
	require.Equal(t, linearizability.Valid, v.Validity, v.Summary)
	require.Equal(t, "3 answers; each of 1 epochs contains all earlier acknowledged writes", v.Summary)
	v = begun().apply(first, 3, 0).acknowledge(first, 3, 0).leave(1, 2).
		install(second, []ring.NodeID{2, 3}, 2, 1).judgeIn(t, "netns")
	require.Equal(t, linearizability.Invalid, v.Validity)
	require.Contains(t, v.Summary, "begins at revision 2 without it")
}

// newDisk adds that a machine's store starts with an empty disk.
func (s *story) newDisk(m env.MachineID) *story { return s.add(store.Opened{}, m) }

// replaced adds that machines install an epoch whose decision gave a node's vote to its present store.
func (s *story) replaced(x []ring.NodeID, node ring.NodeID, machines ...env.MachineID) *story {
	return s.add(store.Installed{Epoch: second, Members: x, Source: x[0], Revision: 3, How: "same",
		Role: store.RoleVoter, Replaced: node}, machines...)
}

// TestADecisionThatGivesAVoteBack is right only if its stores have everything, are a quorum with the node,
// and the node has a new disk.
func TestADecisionThatGivesAVoteBack(t *testing.T) {
	half := three
	half.Votes = []uint32{2, 1, 1}
	judge := func(c storecheck.Cluster, s *story) linearizability.Verdict {
		check := storecheck.NewEpochs(c)
		for _, r := range s.records {
			check.Observe(r)
		}
		return check.Judge(t.Context(), &storecheck.Evidence{Run: &scenarios.Run{}})
	}
	others := []ring.NodeID{2, 3}
	at := func() *story { return (&story{}).install(first, everybody, 0, 0, 1, 2) }
	v := judge(half, at().newDisk(0).replaced(others, 1, 1, 2))
	require.Equal(t, valid, v.Validity, v.Summary)
	for want, s := range map[string]*story{
		"and others may have acknowledged what they lack": at().newDisk(0).replaced([]ring.NodeID{2}, 1, 1),
		"its store has lost nothing":                      at().replaced(others, 1, 1, 2),
		"gives the vote of node 2 away":                   at().newDisk(1).replaced(others, 2, 1, 2),
		"gives the vote of node 9 away":                   at().newDisk(0).replaced(others, 9, 1, 2),
	} {
		v := judge(half, s)
		require.Equal(t, invalid, v.Validity, want)
		require.Contains(t, v.Summary, want)
	}
	v = judge(three, at().newDisk(0).replaced([]ring.NodeID{3}, 1, 2))
	require.Contains(t, v.Summary, "may have acknowledged what they lack", "one of three")
	// One disk of the one with half of the votes is not enough for an answer.
	v = judge(half, at().apply(first, 1, 0).acknowledge(first, 1, 0))
	require.Contains(t, v.Summary, "while 2 votes have that on disk: 3 are needed")
}

// TestADecisionIsOlderThanItsLastInstallation: a store that was paused installs the epoch after a disk that
// had reported for it was emptied. The epoch was decided before; one that is decided now must do without that
// disk.
func TestADecisionIsOlderThanItsLastInstallation(t *testing.T) {
	emptied := func() *story {
		s := (&story{}).install(first, everybody, 0, 0, 1).apply(first, 1, 0, 1).acknowledge(first,
			1, 0).newDisk(0)
		s.records[len(s.records)-1].At += time.Minute
		return s
	}
	judge := func(s *story) linearizability.Verdict {
		check := storecheck.NewEpochs(three)
		for _, r := range s.records {
			check.Observe(r)
		}
		wiped := scenarios.Applied{Fault: fault.Fault{Kind: fault.DiskWipe, Machines: []string{"n1"}}}
		return check.Judge(t.Context(), &storecheck.Evidence{
			Run: &scenarios.Run{Applied: []scenarios.Applied{wiped}}})
	}
	v := judge(emptied().install(first, everybody, 1, 2))
	require.Equal(t, valid, v.Validity, v.Summary)
	v = judge(emptied().install(second, everybody, 1, 1))
	require.Equal(t, invalid, v.Validity)
	require.Contains(t, v.Summary, "is decided with the report of n1, whose disk has lost revision 1")
}
