package state

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Mark is a place in a history: a revision and the chain that leads to it.
type Mark struct {
	Revision uint64
	Chain    [32]byte
}

// Mark is the replica's own place.
func (r *Replica) Mark() Mark { return Mark{Revision: r.Revision(), Chain: r.Log.Chain()} }

// Snapshot brings a replica to another one's state: from a common place in the history, or from
// nothing.
type Snapshot struct {
	Epoch    ring.ID
	Position uint64 // the last message of the ring that is part of it
	Full     bool
	Base     Mark // where the receiver must be, unless Full
	Config   *Config
	Digest   tree.Digest
	Entries  []tree.Entry
	Drop     []string   // paths that are gone since Base
	Log      []LogEntry // since Base; everything that is remembered if Full
}

var (
	// ErrOtherHistory means that a snapshot does not continue the receiver's history.
	ErrOtherHistory = errors.New("snapshot continues another history")
	// ErrDamaged means that a state contradicts itself: its digest, its chain or its shape.
	ErrDamaged = errors.New("store state is damaged")
)

// SnapshotFrom makes a snapshot for a replica at a place: only what changed since, if the log
// shows that the place is part of this replica's history, else everything.
func (r *Replica) SnapshotFrom(at Mark, genesis GenesisID, position uint64) *Snapshot {
	s := &Snapshot{Epoch: r.Epoch, Position: position, Config: r.Config, Digest: r.Tree.Digest()}
	log, reaches := r.Log.Since(at.Revision)
	if !reaches || !r.contains(at) || genesis != r.Config.Genesis {
		s.Full = true
		s.Log, _ = r.Log.Since(Floor(r.Revision(), r.Config.LogKeep))
		for _, path := range r.Tree.Paths() {
			s.Entries = append(s.Entries, *r.Tree.Get(path))
		}
		return s
	}
	s.Base, s.Log = at, log
	seen := map[string]bool{}
	for i := range log {
		for _, path := range [...]string{log[i].Path, log[i].To} {
			if path == "" || seen[path] {
				continue
			}
			seen[path] = true
			if e := r.Tree.Get(path); e != nil {
				s.Entries = append(s.Entries, *e)
			} else {
				s.Drop = append(s.Drop, path)
			}
		}
	}
	return s
}

// contains reports whether a place is part of the replica's history, as far as its log reaches.
func (r *Replica) contains(at Mark) bool {
	if at.Revision == 0 {
		return at.Chain == [32]byte{}
	}
	e := r.Log.At(at.Revision)
	return e != nil && e.Chain == at.Chain
}

// Receive builds the state that a snapshot leads to and what must be persisted for it. The
// receiver is not changed. It fails with ErrOtherHistory or ErrDamaged.
func (r *Replica) Receive(s *Snapshot) (*Replica, *Installation, error) {
	next := &Replica{Incarnation: r.Incarnation, Epoch: s.Epoch, Config: s.Config, Memory: r.Memory}
	inst := &Installation{Epoch: s.Epoch, Config: s.Config, Replace: s.Full, Put: s.Entries, Log: s.Log}
	if s.Full {
		next.Tree = tree.New(r.Tree.Limits())
	} else {
		if !r.isContinuedBy(s) {
			return nil, nil, fmt.Errorf("receiving a snapshot from revision %d at revision %d: %w",
				s.Base.Revision, r.Revision(), ErrOtherHistory)
		}
		inst.Log = s.Log[r.Revision()-s.Base.Revision:]
		next.Tree = r.Tree.Clone()
		next.Log.copyFrom(&r.Log)
		inst.Drop = dropReplaced(next.Tree, s)
	}
	for i := range s.Entries {
		next.Tree.Put(s.Entries[i])
	}
	for i, e := range inst.Log {
		if before := next.Log.Revision(); e.Revision != before+1 && (before > 0 || i > 0 || !s.Full) {
			return nil, nil, fmt.Errorf("receiving a snapshot: log has a gap: %w", ErrDamaged)
		}
		next.Log.Append(e, Floor(e.Revision, s.Config.LogKeep))
	}
	inst.Floor = Floor(next.Revision(), s.Config.LogKeep)
	if next.Tree.Digest() != s.Digest {
		return nil, nil, fmt.Errorf("receiving a snapshot: tree digest differs: %w", ErrDamaged)
	}
	return next, inst, next.Check()
}

// isContinuedBy reports whether a snapshot starts in the replica's past and leads through its present.
func (r *Replica) isContinuedBy(s *Snapshot) bool {
	if r.Config == nil || r.Config.Genesis != s.Config.Genesis || s.Base.Revision > r.Revision() {
		return false
	}
	ahead := r.Revision() - s.Base.Revision
	if ahead == 0 {
		return r.Mark() == s.Base
	}
	return ahead <= uint64(len(s.Log)) && s.Log[ahead-1].Revision == r.Revision() &&
		s.Log[ahead-1].Chain == r.Log.Chain()
}

// dropReplaced removes from the tree what a snapshot removes or replaces and names the inodes.
func dropReplaced(t *tree.Tree, s *Snapshot) []uint64 {
	var inodes []uint64
	drop := func(path string) {
		if old := t.Get(path); old != nil {
			inodes = append(inodes, old.Inode)
			t.Drop(path)
		}
	}
	for _, path := range s.Drop {
		drop(path)
	}
	for i := range s.Entries {
		drop(s.Entries[i].Path)
	}
	return inodes
}

// Check verifies that a state that came from a disk or from a peer is consistent with itself. It
// fails with ErrDamaged.
func (r *Replica) Check() error {
	if err := r.Tree.CheckShape(); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	last := r.Log.At(r.Revision())
	if last == nil {
		if r.Tree.Len() > 0 {
			return fmt.Errorf("%w: %d entries at revision 0", ErrDamaged, r.Tree.Len())
		}
		return nil
	}
	before := r.Log.At(r.Revision() - 1)
	if before == nil && r.Revision() > 1 {
		return nil // the chain's last link is not held: nothing to compare with
	}
	var chain [32]byte
	if before != nil {
		chain = before.Chain
	}
	if chainAfter(chain, last, r.Tree.Digest()) != last.Chain {
		return fmt.Errorf("%w: the tree differs from the tree of revision %d", ErrDamaged, last.Revision)
	}
	return nil
}

// copyFrom starts a log with another's entries. The capacity is cut so that appending to one never
// shows in the other.
func (l *RecentLog) copyFrom(from *RecentLog) {
	l.entries = from.entries[:len(from.entries):len(from.entries)]
	l.byRequest = make(map[string]uint64, len(l.entries))
	for i := range l.entries {
		l.byRequest[l.entries[i].Request] = l.entries[i].Revision
	}
}

const minEntryBytes = 8 + 4 + 1 + 4 + 8 + 4 + 8

// Encode writes a snapshot.
func (s *Snapshot) Encode() []byte {
	var w bin.Writer
	appendRing(&w, s.Epoch)
	w.U64(s.Position)
	w.Bool(s.Full)
	w.U64(s.Base.Revision)
	w.Raw(s.Base.Chain[:])
	s.Config.append(&w)
	for _, v := range s.Digest {
		w.U64(v)
	}
	w.U32(uint32(len(s.Drop)))
	for _, path := range s.Drop {
		w.String(path)
	}
	w.U32(uint32(len(s.Log)))
	for i := range s.Log {
		appendLogEntry(&w, &s.Log[i])
	}
	w.U32(uint32(len(s.Entries)))
	for i := range s.Entries {
		e := &s.Entries[i]
		w.U64(e.Inode)
		w.String(e.Path)
		w.U8(uint8(e.Kind))
		w.Bytes(e.Data)
		w.U64(e.Mod)
		w.U32(e.Writer)
		w.U64(uint64(e.MtimeMS))
	}
	return w.B
}

// ErrMalformed is wrapped by decoding errors.
var ErrMalformed = errors.New("malformed store message")

// DecodeSnapshot reads what Encode wrote. File contents alias data.
func DecodeSnapshot(data []byte) (*Snapshot, error) {
	r := &bin.Reader{B: data}
	s := &Snapshot{Epoch: readRing(r), Position: r.U64(), Full: r.Bool()}
	s.Base.Revision = r.U64()
	r.Raw(s.Base.Chain[:])
	s.Config = ReadConfig(r)
	for i := range s.Digest {
		s.Digest[i] = r.U64()
	}
	for n := r.Count(4); n > 0; n-- {
		s.Drop = append(s.Drop, r.String(tree.MaxPathBytes))
	}
	for n := r.Count(minLogEntryBytes); n > 0; n-- {
		s.Log = append(s.Log, readLogEntry(r))
	}
	for n := r.Count(minEntryBytes); n > 0; n-- {
		s.Entries = append(s.Entries, tree.Entry{Inode: r.U64(), Path: r.String(tree.MaxPathBytes),
			Kind: tree.Kind(r.U8()), Data: r.Bytes(tree.MaxFileBytes), Mod: r.U64(),
			Writer: r.U32(), MtimeMS: int64(r.U64())})
	}
	if !r.Done() || s.Config == nil || !s.Config.Initialized() {
		return nil, fmt.Errorf("%w: snapshot of %d bytes", ErrMalformed, len(data))
	}
	return s, nil
}
