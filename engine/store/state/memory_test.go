package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

func mark(node int, epoch, revision uint64) PeerMark {
	return PeerMark{Node: ring.NodeID(node), Incarnation: Incarnation{byte(node)},
		Epoch: ring.ID{Seq: epoch, Rep: 1}, Revision: revision}
}

// A memory keeps the highest place of each incarnation, epoch first.
func TestMemoryOfPeers(t *testing.T) {
	m := &Memory{}
	require.True(t, m.NoteConfirmed(mark(3, 4, 7)))
	require.True(t, m.NoteConfirmed(mark(2, 4, 7)))
	require.False(t, m.NoteConfirmed(mark(3, 4, 7)), "it is no news")
	require.False(t, m.NoteConfirmed(mark(3, 4, 6)))
	require.True(t, m.NoteConfirmed(mark(3, 8, 5)), "a later epoch may begin at a lower revision")
	require.False(t, m.NoteConfirmed(mark(3, 4, 99)))
	require.Equal(t, []PeerMark{mark(2, 4, 7), mark(3, 8, 5)}, m.Peers)
	other := mark(3, 4, 1)
	other.Incarnation = Incarnation{99}
	require.True(t, m.NoteConfirmed(other), "another disk has promised nothing yet")
	require.Equal(t, []PeerMark{mark(2, 4, 7), other}, m.Peers)
}

func TestMemoryOfVoteless(t *testing.T) {
	m := &Memory{}
	require.False(t, m.SetVoteless(2, Incarnation{}, 5))
	require.True(t, m.SetVoteless(2, Incarnation{9}, 5))
	require.False(t, m.SetVoteless(2, Incarnation{9}, 6), "the first time counts")
	require.True(t, m.SetVoteless(1, Incarnation{8}, 7))
	require.Equal(t, int64(5), m.VotelessSince(2))
	require.True(t, m.SetVoteless(2, Incarnation{7}, 8), "another disk")
	require.Equal(t, int64(8), m.VotelessSince(2))
	require.True(t, m.SetVoteless(2, Incarnation{}, 9))
	require.Zero(t, m.VotelessSince(2))
	require.Equal(t, int64(7), m.VotelessSince(1))
}

func TestLossesAreBounded(t *testing.T) {
	m := &Memory{}
	for i := range uint64(MaxLosses + 3) {
		m.AddLoss(Loss{From: i})
	}
	require.Len(t, m.Losses, MaxLosses)
	require.EqualValues(t, 3, m.Losses[0].From, "the oldest are forgotten")
}

// A replacement drops the changes above the last common place. Only those of them that W votes had are a
// loss of acknowledged changes.
func TestDropped(t *testing.T) {
	a, b := fresh(100), fresh(100)
	for k := range 4 {
		for _, r := range []*Replica{a, b} {
			do(r, write(fmt.Sprint(k), "f", fmt.Sprint(k)))
		}
	}
	do(a, write("x", "g", "1"))
	do(a, write("y", "h", "2"))
	b.Epoch = ring.ID{Seq: 8, Rep: 2}
	do(b, write("z", "i", "3"))
	full := b.SnapshotFrom(a.Mark(), b.Config.Genesis, 1)
	require.True(t, full.Full)
	dropped := a.Dropped(full)
	require.Len(t, dropped, 2)
	require.EqualValues(t, 5, dropped[0].Revision)
	for revision, want := range map[uint64]uint64{4: 0, 5: 1, 6: 2, 9: 2} {
		m := &Memory{Peers: []PeerMark{mark(2, 4, revision)}}
		require.Equal(t, want, a.ConfirmedPrefix(1, m, dropped), "node 2 has confirmed %d", revision)
	}
	require.Zero(t, a.ConfirmedPrefix(1, &Memory{}, dropped), "its own vote is not enough")
	older := &Memory{Peers: []PeerMark{mark(2, 3, 9)}}
	require.Zero(t, a.ConfirmedPrefix(1, older, dropped), "of an earlier epoch")
	stranger := mark(2, 4, 9)
	stranger.Incarnation = Incarnation{77}
	require.Zero(t, a.ConfirmedPrefix(1, &Memory{Peers: []PeerMark{stranger}}, dropped), "without a vote")
	require.Empty(t, a.Dropped(a.SnapshotFrom(Mark{Revision: 1}, a.Config.Genesis, 1)), "its own state")
	behind := fresh(100)
	do(behind, write("0", "f", "0"))
	require.Empty(t, behind.Dropped(full), "it has nothing else")
	require.Empty(t, fresh(100).Dropped(full))
}

// FuzzMemory: what a disk has is refused, or read as something that is written back byte for byte.
func FuzzMemory(f *testing.F) {
	f.Add((&Memory{}).Encode())
	f.Add((&Memory{Peers: []PeerMark{mark(1, 4, 7), mark(2, 8, 1)},
		Voteless: []VotelessNode{{Node: 3, Incarnation: Incarnation{3}, SinceMS: 5}},
		Losses:   []Loss{{AtMS: 1, From: 2, To: 4, Confirmed: 1, File: "store/x"}}}).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMemory(data)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, data, m.Encode())
	})
}
