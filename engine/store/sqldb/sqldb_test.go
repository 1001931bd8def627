package sqldb

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/internal/faultdisk"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

const name = "store/config.db"

type killed struct{}

func options(d *faultdisk.Disk, boot uint64) Options {
	return Options{Disk: d, Name: name, Boot: boot, Limits: tree.DefaultLimits(),
		NewIncarnation: func() state.Incarnation { return state.Incarnation{7} }}
}

func born(keep uint64) *state.Config {
	return &state.Config{Genesis: state.GenesisID{1}, LogKeep: keep,
		Members: []state.Member{{Node: 1, Votes: 1, Incarnation: state.Incarnation{7}}}}
}

func install(t require.TestingT, db *DB, r *state.Replica, epoch ring.ID, c *state.Config) {
	require.NoError(t, db.Install(&state.Installation{Epoch: epoch, Config: c}))
	r.Epoch, r.Config = epoch, c
}

func op(i int) *state.Command {
	cmd := &state.Command{Request: fmt.Sprintf("r%d", i)}
	switch {
	case i%7 == 6:
		cmd.Op = tree.Op{Kind: tree.Delete, Path: fmt.Sprintf("f%d", (i-3)%5)}
	case i%11 == 10:
		cmd.Op = tree.Op{Kind: tree.Rename, Path: fmt.Sprintf("f%d", i%5), To: fmt.Sprintf("f%d", (i+1)%5)}
	default:
		cmd.Op = tree.Op{Kind: tree.Write, Path: fmt.Sprintf("f%d", i%5), Data: make([]byte, i*37%900),
			Writer: 3, MtimeMS: int64(i)}
	}
	return cmd
}

func TestReopenGivesTheSameReplica(t *testing.T) {
	d := faultdisk.New()
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	require.Equal(t, state.Incarnation{7}, r.Incarnation)
	install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(50))
	for i := range 400 {
		var b state.Batch
		r.Apply(op(i), nil, &b)
		r.Apply(op(1000+i), nil, &b)
		require.NoError(t, db.Commit(&b))
	}
	for boot := uint64(1); boot < 4; boot++ {
		db.Release()
		var again *state.Replica
		db, again, err = Open(options(d, boot))
		require.NoError(t, err)
		require.Equal(t, r.Mark(), again.Mark())
		require.Equal(t, r.Tree.Digest(), again.Tree.Digest())
		require.Equal(t, r.Epoch, again.Epoch)
		require.True(t, r.Config.Equal(again.Config))
		require.Equal(t, r.Incarnation, again.Incarnation)
		got, _ := again.Log.Since(0)
		require.GreaterOrEqual(t, len(got), 50)
		require.LessOrEqual(t, len(got), 51)
	}
	db.Release()
}

// A power cut before any call that changes the disk leaves a prefix of the commits, never less
// than those that returned, and an installation entirely or not at all.
func TestPowerCutAtEveryCall(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for at := 1; ; at++ {
		d := faultdisk.New()
		h, finished := run(t, d, at)
		if finished {
			require.Greater(t, at, 60)
			return
		}
		for range 3 {
			after := d.Clone()
			after.Before = nil
			after.PowerCut(rng.IntN)
			h.check(t, after, at)
		}
	}
}

// history is what a run knows to have returned, and what it had begun.
type history struct {
	marks  []state.Mark // after each commit, from revision 0
	epochs []ring.ID    // after each commit
	done   int          // index of the last one that returned
}

func (h *history) began(r *state.Replica) {
	h.marks, h.epochs = append(h.marks, r.Mark()), append(h.epochs, r.Epoch)
}

// run does a fixed history until the n-th call that changes the disk.
func run(t *testing.T, d *faultdisk.Disk, n int) (h *history, finished bool) {
	h = &history{}
	defer func() {
		if p := recover(); p != nil && p != (killed{}) {
			panic(p)
		}
	}()
	d.Before = func(o, _ string) error {
		if o != "read" && o != "open" {
			if n--; n == 0 {
				panic(killed{})
			}
		}
		return nil
	}
	r := &state.Replica{Tree: tree.New(tree.DefaultLimits())}
	h.began(r)
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	c := born(30)
	r.Epoch, r.Config = ring.ID{Seq: 4, Rep: 1}, c
	h.began(r)
	require.NoError(t, db.Install(&state.Installation{Epoch: r.Epoch, Config: c}))
	h.done++
	for i := range 12 {
		var b state.Batch
		r.Apply(op(i), nil, &b)
		h.began(r)
		require.NoError(t, db.Commit(&b))
		h.done++
	}
	r = fullCopy(t, r, ring.ID{Seq: 8, Rep: 2})
	h.began(r)
	_, inst, err := (&state.Replica{Tree: tree.New(tree.DefaultLimits())}).Receive(snapshotOf(r))
	require.NoError(t, err)
	require.NoError(t, db.Install(inst))
	h.done++
	d.Before = nil
	db.Release()
	return h, true
}

// fullCopy is another history of the same cluster, as a node of another partition made it.
func fullCopy(t *testing.T, r *state.Replica, epoch ring.ID) *state.Replica {
	other := &state.Replica{Tree: tree.New(tree.DefaultLimits()), Config: r.Config, Epoch: epoch}
	for i := range 9 {
		var b state.Batch
		other.Apply(op(100+i), nil, &b)
	}
	require.NotEqual(t, r.Mark(), other.Mark())
	return other
}

func snapshotOf(r *state.Replica) *state.Snapshot {
	return r.SnapshotFrom(state.Mark{Revision: 1, Chain: [32]byte{1}}, r.Config.Genesis, 1)
}

func (h *history) check(t *testing.T, d *faultdisk.Disk, at int) {
	db, r, err := Open(options(d, 2))
	require.NoError(t, err, "cut before call %d", at)
	defer db.Release()
	for i := h.done; i < len(h.marks) && i <= h.done+1; i++ {
		if h.marks[i] == r.Mark() && h.epochs[i] == r.Epoch {
			return
		}
	}
	require.Fail(t, "a state that never was",
		"cut before call %d: revision %d of epoch %s, %d commits had returned",
		at, r.Revision(), r.Epoch, h.done)
}

// After a failed sync the bytes can still be read, but they are not on the medium. A store that
// is opened again without a reboot must not take them for durable.
func TestFailedSyncIsNotTrusted(t *testing.T) {
	d := faultdisk.New()
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(30))
	var b state.Batch
	r.Apply(op(1), nil, &b)
	d.Before = func(o, _ string) error {
		if o == "sync" {
			d.LoseDirty(name + "-wal") // the kernel drops the dirty mark together with the error
			return env.ErrIO
		}
		return nil
	}
	require.ErrorIs(t, db.Commit(&b), env.ErrIO)
	d.Before = nil
	db.Release()

	db, r, err = Open(options(d, 1))
	require.NoError(t, err)
	reported := r.Mark() // what a report would tell the others now
	db.Release()
	for seed := range uint64(20) {
		after := d.Clone()
		after.PowerCut(rand.New(rand.NewPCG(seed, 0)).IntN)
		db, r, err = Open(options(after, 2))
		require.NoError(t, err)
		require.Equal(t, reported, r.Mark())
		db.Release()
	}
}

func TestFullAndBrokenDisks(t *testing.T) {
	for _, cause := range []error{env.ErrNoSpace, env.ErrIO} {
		d := faultdisk.New()
		db, r, err := Open(options(d, 1))
		require.NoError(t, err)
		install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(30))
		mark := r.Mark()
		d.Before = func(o, _ string) error {
			if o == "write" {
				return cause
			}
			return nil
		}
		var b state.Batch
		r.Apply(op(1), nil, &b)
		require.ErrorIs(t, db.Commit(&b), cause)
		db.Release()
		_, _, err = Open(options(d, 1))
		require.ErrorIs(t, err, cause, "a store that cannot be written does not open")
		d.Before = nil
		db, r, err = Open(options(d, 1))
		require.NoError(t, err)
		require.Equal(t, mark, r.Mark())
		db.Release()
	}
}

func TestDamageIsFoundAndLeftAlone(t *testing.T) {
	d := faultdisk.New()
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(30))
	var b state.Batch
	r.Apply(op(1), nil, &b)
	require.NoError(t, db.Commit(&b))
	require.NoError(t, db.execForTest("UPDATE entry SET data=x'00' WHERE inode=1"))
	db.Release()
	_, _, err = Open(options(d, 2))
	require.ErrorIs(t, err, ErrUnusable)

	garbage := faultdisk.New()
	f, err := garbage.Open(name, env.Create)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 8192), 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("this is no database"), 0)
	require.NoError(t, err)
	_, _, err = Open(options(garbage, 1))
	require.ErrorIs(t, err, ErrUnusable)
}

// TestDamagedLogEntriesAreFound changes one column of an entry in the middle of the log, which the chain of
// the last entry does not prove.
func TestDamagedLogEntriesAreFound(t *testing.T) {
	for _, change := range []string{"epoch_seq=epoch_seq+1", "epoch_rep=9", "request='r99'", "kind=kind+1",
		"path='other'", "target='other'", "digest=zeroblob(32)", "chain=zeroblob(40)", "chain=x'00'"} {
		d := faultdisk.New()
		db, r, err := Open(options(d, 1))
		require.NoError(t, err)
		install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(30))
		var b state.Batch
		for i := range 5 {
			r.Apply(op(i), nil, &b)
		}
		require.NoError(t, db.Commit(&b))
		require.NoError(t, db.execForTest("UPDATE log SET "+change+" WHERE revision=3"))
		db.Release()
		_, _, err = Open(options(d, 2))
		require.ErrorIs(t, err, ErrUnusable, change)
	}
}

// TestLogWithoutChecksums opens a database of a version that wrote none, and goes on with it.
func TestLogWithoutChecksums(t *testing.T) {
	d := faultdisk.New()
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(30))
	var b state.Batch
	for i := range 5 {
		r.Apply(op(i), nil, &b)
	}
	require.NoError(t, db.Commit(&b))
	require.NoError(t, db.execForTest("UPDATE log SET chain=substr(chain,1,32)"))
	db.Release()
	for boot := range uint64(2) {
		db, again, err := Open(options(d, 2+boot))
		require.NoError(t, err)
		require.Equal(t, r.Mark(), again.Mark())
		b = state.Batch{}
		again.Apply(op(int(5+boot)), nil, &b)
		require.NoError(t, db.Commit(&b))
		r = again
		db.Release()
	}
}

func TestLaterSchemaIsRefused(t *testing.T) {
	d := faultdisk.New()
	db, _, err := Open(options(d, 1))
	require.NoError(t, err)
	require.NoError(t, db.execForTest("PRAGMA user_version=9"))
	db.Release()
	_, _, err = Open(options(d, 1))
	require.ErrorIs(t, err, ErrUnusable)
}

// What a store keeps for itself comes with commits and installations or alone, and a database of an earlier
// version has none.
func TestMemoryAndIdentity(t *testing.T) {
	d := faultdisk.New()
	db, r, err := Open(options(d, 1))
	require.NoError(t, err)
	require.Equal(t, &state.Memory{}, r.Memory)
	install(t, db, r, ring.ID{Seq: 4, Rep: 1}, born(50))
	reopened := func() *state.Replica {
		db.Release()
		d.PowerCut(func(int) int { return 0 })
		var r *state.Replica
		db, r, err = Open(options(d, 2))
		require.NoError(t, err)
		return r
	}
	peer := state.PeerMark{Node: 2, Incarnation: state.Incarnation{2}, Epoch: ring.ID{Seq: 4, Rep: 1},
		Revision: 1}
	r.Memory.NoteConfirmed(peer)
	b := state.Batch{Memory: r.Memory}
	r.Apply(op(0), nil, &b)
	require.NoError(t, db.Commit(&b))
	require.Equal(t, []state.PeerMark{peer}, reopened().Memory.Peers)
	peer.Revision = 5
	require.NoError(t, db.Remember(&state.Memory{Peers: []state.PeerMark{peer}}))
	require.Equal(t, []state.PeerMark{peer}, reopened().Memory.Peers)
	peer.Revision = 6
	require.NoError(t, db.Install(&state.Installation{Epoch: ring.ID{Seq: 8, Rep: 1},
		Memory: &state.Memory{Peers: []state.PeerMark{peer}}}))
	require.Equal(t, []state.PeerMark{peer}, reopened().Memory.Peers)
	require.NoError(t, db.Renew(state.Incarnation{8}, &state.Memory{}))
	r = reopened()
	require.Equal(t, state.Incarnation{8}, r.Incarnation)
	require.EqualValues(t, 1, r.Revision(), "the state stays")
	require.Empty(t, r.Memory.Peers)

	require.NoError(t, db.db.Run(func(c *sqlite3.Conn) error { return c.Exec("DROP TABLE memory") }))
	require.Equal(t, &state.Memory{}, reopened().Memory)
	require.NoError(t, db.Remember(&state.Memory{Peers: []state.PeerMark{peer}}))
	require.NoError(t, db.db.Run(func(c *sqlite3.Conn) error {
		return c.Exec("UPDATE memory SET data=x'01'")
	}))
	db.Release()
	_, _, err = Open(options(d, 2))
	require.ErrorIs(t, err, ErrUnusable)
}
