// Package storetest is a store in memory for tests of what makes requests of the engine's store. It
// answers at once, in the order of the requests, and it never loses, repeats or delays anything: the
// engine's own store in the simulator does that.
package storetest

import (
	"sync"

	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Store is a tree of files with the store's requests. It may be used by several goroutines.
type Store struct {
	// Refuse, if set, decides on each request first: a code other than "" is the answer.
	Refuse func(r *store.Request) tree.Code

	mu       sync.Mutex
	tree     *tree.Tree
	revision uint64
	asked    int
}

// New returns an empty store.
func New() *Store { return &Store{tree: tree.New(tree.DefaultLimits())} }

// Do answers a request.
func (s *Store) Do(r *store.Request) *store.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	answer := &store.Response{ID: r.ID, Revision: s.revision}
	if s.Refuse != nil {
		if answer.Code = s.Refuse(r); answer.Code != "" {
			return answer
		}
	}
	switch r.Op {
	case store.OpStatus:
		answer.OK, answer.Status = true, &store.Status{Quorate: true}
	case store.OpRead:
		if e := s.tree.Get(r.Path); e == nil {
			answer.Code = tree.NotFound
		} else {
			answer.OK, answer.Entry = true, info(e)
		}
	default:
		s.change(r, answer)
	}
	return answer
}

// change carries out a request that changes the tree.
func (s *Store) change(r *store.Request, answer *store.Response) {
	for kind := tree.Write; kind <= tree.CAS; kind++ {
		if kind.String() != r.Op {
			continue
		}
		op := &tree.Op{Kind: kind, Path: r.Path, To: r.To, Data: r.Data, Expect: r.Expect}
		if refusal := s.tree.Check(op); refusal != nil {
			answer.Code, answer.Message = refusal.Code, refusal.Message
			return
		}
		s.revision++
		s.tree.Apply(op, s.revision)
		answer.OK, answer.Revision = true, s.revision
		return
	}
	answer.Code = store.CodeFailed
}

func info(e *tree.Entry) *store.EntryInfo {
	kind := store.KindFile
	if e.Kind == tree.Directory {
		kind = store.KindDirectory
	}
	return &store.EntryInfo{Path: e.Path, Kind: kind, Mod: e.Mod, Data: e.Data}
}

// Files returns the text of every file, by path.
func (s *Store) Files() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string]string{}
	for _, path := range s.tree.Paths() {
		if e := s.tree.Get(path); e.Kind != tree.Directory {
			files[path] = string(e.Data)
		}
	}
	return files
}

// Asked returns the number of requests so far.
func (s *Store) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
