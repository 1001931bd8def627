package store

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// WatchTimeout is how long a watch waits for a change before it is answered without one.
const WatchTimeout = 30 * time.Second

// maxWatches is the number of watches that wait on one store.
const maxWatches = 256

// watcher is a client that waits for a change at, above or below a path.
type watcher struct {
	from  client
	req   *Request
	until time.Duration
}

// watch answers when something at the path has changed after the revision that the client has
// seen. What has changed already is answered at once. A client that asks again with the revision
// of the answer misses nothing; it may be woken for nothing after another state was installed or
// when the log does not reach back that far.
func (s *Store) watch(from client, req *Request) {
	if bad := tree.CheckPath(req.Path); bad != nil {
		s.refuse(from, req, bad.Code, bad.Message)
		return
	}
	if s.changedSince(req.Path, req.Since) {
		s.wakeOne(from, req, true)
		return
	}
	if len(s.watchers) >= maxWatches {
		s.env.Probe("store/too-many-watches")
		s.refuse(from, req, CodeTryAgain, "too many watches are waiting on this node")
		return
	}
	s.watchers = append(s.watchers, watcher{from: from, req: req, until: s.env.Mono() + WatchTimeout})
}

func (s *Store) changedSince(path string, revision uint64) bool {
	log, known := s.replica.Log.Since(revision)
	return !known || slices.ContainsFunc(log, func(e state.LogEntry) bool { return touches(&e, path) })
}

// touches says whether a change concerns a path: the entry itself, one below it, or a directory
// above it.
func touches(e *state.LogEntry, path string) bool {
	return related(e.Path, path) || e.To != "" && related(e.To, path)
}

func related(a, b string) bool {
	return a == b || a == "" || b == "" || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func (s *Store) wakeOne(to client, req *Request, changed bool) {
	s.reply(to, &Response{ID: req.ID, OK: true, Revision: s.revision(), Changed: changed})
}

// wake answers those who wait for one of these changes, which are durable here.
func (s *Store) wake(log []state.LogEntry) {
	if len(s.watchers) == 0 || len(log) == 0 {
		return
	}
	s.endWatches(func(w *watcher) bool {
		return slices.ContainsFunc(log, func(e state.LogEntry) bool { return touches(&e, w.req.Path) })
	}, true)
}

// wakeAll answers everybody: another state was installed, and what is different in it is not told.
func (s *Store) wakeAll() { s.endWatches(func(*watcher) bool { return true }, true) }

// sweepWatches answers those who waited long enough, without a change.
func (s *Store) sweepWatches(now time.Duration) {
	s.endWatches(func(w *watcher) bool { return w.until <= now }, false)
}

func (s *Store) failWatches(message string) {
	for _, w := range s.watchers {
		s.refuse(w.from, w.req, CodeFailed, message)
	}
	s.watchers = nil
}

// endWatches answers the watches that it is told to, in the order in which they came.
func (s *Store) endWatches(which func(*watcher) bool, changed bool) {
	kept := s.watchers[:0]
	for i := range s.watchers {
		w := s.watchers[i]
		if !which(&w) {
			kept = append(kept, w)
			continue
		}
		s.wakeOne(w.from, w.req, changed)
	}
	clear(s.watchers[len(kept):])
	s.watchers = kept
}
