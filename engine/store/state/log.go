package state

import (
	"crypto/sha256"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// ReplaceMember is the kind of the log entry that changes the configuration; all other kinds are
// those of the tree.
const ReplaceMember tree.OpKind = 32

// LogEntry is one successful change: the witness of what happened at a revision, and the memory of
// the request that asked for it.
type LogEntry struct {
	Revision uint64
	Epoch    ring.ID // the epoch in which it was applied
	Request  string
	Kind     tree.OpKind
	Path, To string
	Digest   [32]byte // of the operation
	Chain    [32]byte // over this entry, the one before and the tree that resulted
}

// chainAfter links an entry to all before it. The tree's digest is part of it, so two replicas
// whose trees differ cannot agree on a chain for longer than one change.
func chainAfter(before [32]byte, e *LogEntry, digest tree.Digest) [32]byte {
	w := bin.Writer{B: make([]byte, 0, 192+len(e.Request)+len(e.Path)+len(e.To))}
	w.Raw(before[:])
	w.U64(e.Revision)
	appendRing(&w, e.Epoch)
	w.String(e.Request)
	w.U8(uint8(e.Kind))
	w.String(e.Path)
	w.String(e.To)
	w.Raw(e.Digest[:])
	sum := digest.Bytes()
	w.Raw(sum[:])
	return sha256.Sum256(w.B)
}

// RecentLog is the latest part of a replica's history: consecutive entries up to its revision.
type RecentLog struct {
	entries   []LogEntry
	byRequest map[string]uint64
}

// Revision is that of the last entry, 0 before the first.
func (l *RecentLog) Revision() uint64 {
	if len(l.entries) == 0 {
		return 0
	}
	return l.entries[len(l.entries)-1].Revision
}

// Chain is that of the last entry.
func (l *RecentLog) Chain() [32]byte {
	if len(l.entries) == 0 {
		return [32]byte{}
	}
	return l.entries[len(l.entries)-1].Chain
}

// At returns the entry of a revision, nil if the log does not hold it.
func (l *RecentLog) At(revision uint64) *LogEntry {
	if len(l.entries) == 0 || revision < l.entries[0].Revision || revision > l.Revision() {
		return nil
	}
	return &l.entries[revision-l.entries[0].Revision]
}

// Since returns the entries above a revision; they must not be changed. The second result reports
// whether the log reaches back that far.
func (l *RecentLog) Since(revision uint64) ([]LogEntry, bool) {
	if revision >= l.Revision() {
		return nil, revision == l.Revision()
	}
	if first := l.entries[0].Revision; revision+1 >= first {
		return l.entries[revision+1-first:], true
	}
	return l.entries, false
}

// ByRequest finds the entry of a request, nil if it is not remembered.
func (l *RecentLog) ByRequest(id string) *LogEntry {
	if rev, ok := l.byRequest[id]; ok {
		return l.At(rev)
	}
	return nil
}

// Append adds the next entry and forgets what is at or below the floor. It panics on a gap.
func (l *RecentLog) Append(e LogEntry, floor uint64) {
	if len(l.entries) > 0 && e.Revision != l.Revision()+1 {
		panic(fmt.Sprintf("state: log entry %d after %d", e.Revision, l.Revision()))
	}
	if l.byRequest == nil {
		l.byRequest = map[string]uint64{}
	}
	l.entries = append(l.entries, e)
	l.byRequest[e.Request] = e.Revision
	for len(l.entries) > 1 && l.entries[0].Revision <= floor {
		old := &l.entries[0]
		if l.byRequest[old.Request] == old.Revision {
			delete(l.byRequest, old.Request)
		}
		l.entries = l.entries[1:]
	}
}

// Floor is the highest revision whose request is forgotten once a store is at a revision.
func Floor(revision, keep uint64) uint64 {
	if revision <= keep {
		return 0
	}
	return revision - keep
}

const maxRequestBytes = 128

func appendLogEntry(w *bin.Writer, e *LogEntry) {
	w.U64(e.Revision)
	appendRing(w, e.Epoch)
	w.String(e.Request)
	w.U8(uint8(e.Kind))
	w.String(e.Path)
	w.String(e.To)
	w.Raw(e.Digest[:])
	w.Raw(e.Chain[:])
}

const minLogEntryBytes = 8 + 12 + 4 + 1 + 4 + 4 + 64

func readLogEntry(r *bin.Reader) LogEntry {
	e := LogEntry{Revision: r.U64(), Epoch: readRing(r), Request: r.String(maxRequestBytes),
		Kind: tree.OpKind(r.U8()), Path: r.String(tree.MaxPathBytes), To: r.String(tree.MaxPathBytes)}
	r.Raw(e.Digest[:])
	r.Raw(e.Chain[:])
	return e
}
