package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

func initialized(keep uint64, votes ...uint32) *Config {
	c := &Config{Genesis: GenesisID{1}, LogKeep: keep}
	for i, v := range votes {
		c.Members = append(c.Members, Member{Node: ring.NodeID(i + 1), Votes: v,
			Incarnation: Incarnation{byte(i + 1)}})
	}
	return c
}

func fresh(keep uint64) *Replica {
	return &Replica{Incarnation: Incarnation{1}, Epoch: ring.ID{Seq: 4, Rep: 1},
		Config: initialized(keep, 1, 1, 1),
		Tree:   tree.New(tree.DefaultLimits())}
}

func noIncarnations(ring.NodeID) Incarnation { return Incarnation{} }

func do(r *Replica, cmd Command) Outcome {
	var b Batch
	return r.Apply(&cmd, noIncarnations, &b)
}

func write(id, path, data string) Command {
	return Command{Request: id, Op: tree.Op{Kind: tree.Write, Path: path, Data: []byte(data)}}
}

// Votes for every small distribution: any two quorums meet, and every acknowledgement meets every quorum. No
// disk acknowledges alone unless it is a quorum, and otherwise one vote less would not be enough.
func TestVotesMeet(t *testing.T) {
	for code := range uint32(7 * 7 * 7 * 7) {
		votes := []uint32{code % 7, code / 7 % 7, code / 49 % 7, code / 343}
		if votes[0]+votes[1]+votes[2]+votes[3] == 0 {
			continue
		}
		c := initialized(1, votes...)
		e, q, w, most := c.ExpectedVotes(), c.Quorum(), c.AckVotes(), slices.Max(votes)
		require.Greater(t, 2*q, e)
		require.Greater(t, w+q, e)
		require.LessOrEqual(t, w, q, "what can decide can acknowledge")
		require.True(t, most < w || most >= q, "%v: one disk acknowledges alone", votes)
		require.True(t, w+q == e+1 || w == q && most >= w-1, "%v: %d is not the least number", votes, w)
		require.True(t, c.MeetsEveryAck(e-w+1))
		require.False(t, c.MeetsEveryAck(e-w))
	}
	require.EqualValues(t, 2, initialized(1, 1, 1).AckVotes(), "both of two")
	require.EqualValues(t, 2, initialized(1, 1, 1, 1, 1).AckVotes(), "two of four")
	require.EqualValues(t, 3, initialized(1, 2, 1, 1).AckVotes(), "not the first one alone")
}

func TestVotesGoByIncarnation(t *testing.T) {
	c := initialized(1, 1, 2, 0)
	require.EqualValues(t, 2, c.Votes(2, Incarnation{2}))
	require.EqualValues(t, 0, c.Votes(2, Incarnation{9}))
	require.EqualValues(t, 0, c.Votes(9, Incarnation{9}))
	require.True(t, c.IsVoter(3, Incarnation{3}), "without votes, but listed")
	require.False(t, c.IsVoter(3, Incarnation{2}))
	next := c.ReplaceMember(2, Incarnation{9}, 5)
	require.EqualValues(t, 2, next.Votes(2, Incarnation{9}))
	require.EqualValues(t, 0, next.Votes(2, Incarnation{2}))
	require.EqualValues(t, 2, c.Votes(2, Incarnation{2}), "the old one is unchanged")
	require.EqualValues(t, 5, next.Version)
	unborn := &Config{LogKeep: 1, Members: []Member{{Node: 1, Votes: 1}}}
	require.Zero(t, unborn.Votes(1, Incarnation{}), "the zero incarnation is no member's")
}

func TestConfigCheck(t *testing.T) {
	for _, c := range []Config{
		{LogKeep: 1}, {LogKeep: 1, Members: []Member{{Node: 0, Votes: 1}}},
		{LogKeep: 1, Members: []Member{{Node: 2, Votes: 1}, {Node: 1, Votes: 1}}},
		{LogKeep: 1, Members: []Member{{Node: 1, Votes: 0}}},
		{LogKeep: 0, Members: []Member{{Node: 1, Votes: 1}}},
		{LogKeep: 1, Members: []Member{{Node: 1, Votes: MaxVotes + 1}}},
		{LogKeep: MaxLogKeep + 1, Members: []Member{{Node: 1, Votes: 1}}},
	} {
		require.Error(t, c.Validate(), "%+v", c)
	}
}

func TestRequestsAreCarriedOutOnce(t *testing.T) {
	r := fresh(4)
	require.EqualValues(t, 1, do(r, write("x", "a", "1")).Revision)
	again := do(r, write("x", "a", "1"))
	require.True(t, again.Remembered)
	require.EqualValues(t, 1, again.Revision)
	require.Nil(t, again.Entry)
	require.Equal(t, tree.Invalid, do(r, write("x", "a", "2")).Refusal.Code, "same id, other request")
	for i := range 4 {
		do(r, write(fmt.Sprint(i), "a", "z"))
	}
	late := write("x", "a", "1")
	late.Since = 1
	require.Equal(t, Unknown, do(r, late).Refusal.Code, "forgotten, and the request says that it may be old")
	late.Since = 2
	require.EqualValues(t, 6, do(r, late).Revision, "cannot have been carried out at or below the floor")
}

func TestReplaceMember(t *testing.T) {
	r := fresh(10)
	present := func(n ring.NodeID) Incarnation {
		if n == 3 {
			return Incarnation{33}
		}
		return Incarnation{byte(n)}
	}
	ask := func(node ring.NodeID, inc byte) Outcome {
		var b Batch
		o := r.Apply(&Command{Request: fmt.Sprint(node, inc),
			Replace: Member{Node: node, Incarnation: Incarnation{inc}}}, present, &b)
		require.Equal(t, o.Refusal == nil, b.Config != nil)
		return o
	}
	require.Equal(t, tree.NotFound, ask(9, 9).Refusal.Code)
	require.Equal(t, tree.Exists, ask(3, 3).Refusal.Code)
	require.Equal(t, tree.Invalid, ask(2, 22).Refusal.Code, "that store is not there")
	require.Equal(t, tree.Invalid, ask(2, 0).Refusal.Code)
	o := ask(3, 33)
	require.Nil(t, o.Refusal)
	require.True(t, r.Config.IsVoter(3, Incarnation{33}))
	require.False(t, r.Config.IsVoter(3, Incarnation{3}))
	require.EqualValues(t, 1, r.Config.Version)
	require.NoError(t, r.Check())
}

func drawCommand(t *rapid.T, i int) Command {
	paths := []string{"a", "b", "d", "d/x"}
	op := tree.Op{Kind: tree.OpKind(rapid.IntRange(1, 6).Draw(t, "kind")),
		Path: rapid.SampledFrom(paths).Draw(t, "path")}
	if op.Kind == tree.Rename {
		op.To = rapid.SampledFrom(paths).Draw(t, "to")
	}
	if op.Kind == tree.Write || op.Kind == tree.Create {
		op.Data = rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "data")
	}
	return Command{Request: fmt.Sprintf("r%d", i), Op: op}
}

// Any replica that is behind on the same history is brought to the same state by a snapshot, by
// the difference if the log reaches back, and so is one with another history, by everything.
func TestSnapshots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := uint64(rapid.IntRange(1, 20).Draw(t, "keep"))
		ahead, behind := fresh(keep), fresh(keep)
		common, more := rapid.IntRange(0, 15).Draw(t, "common"), rapid.IntRange(0, 15).Draw(t, "more")
		i := 0
		for ; i < common; i++ {
			cmd := drawCommand(t, i)
			do(ahead, cmd)
			do(behind, cmd)
		}
		base := behind.Mark()
		require.Equal(t, ahead.Mark(), base)
		for ; i < common+more; i++ {
			do(ahead, drawCommand(t, i))
		}
		branch := rapid.IntRange(0, 3).Draw(t, "branch")
		for k := range branch {
			do(behind, write(fmt.Sprintf("b%d", k), "b", "branch"))
		}
		at := behind.Mark()
		snap := ahead.SnapshotFrom(at, behind.Config.Genesis, 77)
		switch {
		case at == base && ahead.Revision()-at.Revision < keep:
			require.False(t, snap.Full, "the log reaches back")
		case at != base:
			require.True(t, snap.Full, "a branch cannot be continued")
		}
		back, err := DecodeSnapshot(snap.Encode())
		require.NoError(t, err)
		require.Equal(t, snap.Encode(), back.Encode())
		before := behind.Mark()
		got, inst, err := behind.Receive(back)
		require.NoError(t, err)
		require.Equal(t, before, behind.Mark(), "the receiver is left alone")
		require.Equal(t, ahead.Mark(), got.Mark())
		require.Equal(t, ahead.Tree.Digest(), got.Tree.Digest())
		require.Equal(t, snap.Full, inst.Replace)
		next := drawCommand(t, i)
		do(ahead, next)
		do(got, next)
		require.Equal(t, ahead.Mark(), got.Mark(), "both go on alike")
	})
}

// A difference made for the member that is furthest behind also serves the others.
func TestOneDifferenceServesAll(t *testing.T) {
	a := fresh(100)
	var copies []*Replica
	for i := range 6 {
		c := fresh(100)
		for k := range i {
			do(c, write(fmt.Sprint(k), fmt.Sprintf("f%d", k%3), fmt.Sprint(k)))
		}
		copies = append(copies, c)
	}
	for k := range 5 {
		do(a, write(fmt.Sprint(k), fmt.Sprintf("f%d", k%3), fmt.Sprint(k)))
	}
	snap := a.SnapshotFrom(copies[1].Mark(), a.Config.Genesis, 1)
	require.False(t, snap.Full)
	_, _, err := copies[0].Receive(snap)
	require.ErrorIs(t, err, ErrOtherHistory)
	for _, c := range copies[1:] {
		got, inst, err := c.Receive(snap)
		require.NoError(t, err)
		require.Equal(t, a.Mark(), got.Mark())
		require.Len(t, inst.Log, int(a.Revision()-c.Revision()))
	}
	branch := fresh(100)
	do(branch, write("0", "f0", "0"))
	do(branch, write("other", "f1", "1"))
	_, _, err = branch.Receive(snap)
	require.ErrorIs(t, err, ErrOtherHistory)
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	a := fresh(100)
	for k := range 5 {
		do(a, write(fmt.Sprint(k), fmt.Sprintf("f%d", k%3), fmt.Sprint(k)))
	}
	for name, damage := range map[string]func(*Snapshot){
		"content": func(s *Snapshot) { s.Entries[0].Data = []byte("zz") },
		"missing": func(s *Snapshot) { s.Entries = s.Entries[1:] },
		"chain":   func(s *Snapshot) { s.Log[len(s.Log)-1].Chain[0]++ },
		"gap":     func(s *Snapshot) { s.Log = append(s.Log[:1:1], s.Log[2:]...) },
		"digest":  func(s *Snapshot) { s.Digest[2]++ },
	} {
		s := a.SnapshotFrom(Mark{Revision: 99}, a.Config.Genesis, 1)
		require.True(t, s.Full)
		damage(s)
		_, _, err := fresh(100).Receive(s)
		require.ErrorIs(t, err, ErrDamaged, name)
	}
}

func FuzzSnapshot(f *testing.F) {
	a := fresh(100)
	f.Add(a.SnapshotFrom(Mark{}, a.Config.Genesis, 1).Encode())
	do(a, write("x", "a", "1"))
	do(a, Command{Request: "y", Op: tree.Op{Kind: tree.Rename, Path: "a", To: "b"}})
	f.Add(a.SnapshotFrom(Mark{}, a.Config.Genesis, 1).Encode())
	f.Add(a.SnapshotFrom(Mark{Revision: 9}, a.Config.Genesis, 1).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSnapshot(data)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, data, s.Encode())
		_, _, _ = fresh(100).Receive(s) // must not panic
	})
}

func TestIncarnationText(t *testing.T) {
	i := Incarnation{1, 2, 255}
	got, err := ParseIncarnation(i.String())
	require.NoError(t, err)
	require.Equal(t, i, got)
	for _, bad := range []string{"", "00", i.String() + "00", "zz" + i.String()[2:]} {
		_, err := ParseIncarnation(bad)
		require.Error(t, err, bad)
	}
}
