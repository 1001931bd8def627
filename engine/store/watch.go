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

// watches are the clients that wait for changes on this node.
type watches struct {
	*shared
	waiting []watcher
}

// watch answers when something at the path has changed after the revision that the client has seen. What has
// changed already is answered at once. A client that asks again with the revision of the answer misses
// nothing; it may be woken without a change after another state was installed or when the log does not reach
// back that far.
func (w *watches) watch(from client, req *Request) {
	if bad := tree.CheckPath(req.Path); bad != nil {
		w.refuse(from, req, bad.Code, bad.Message)
		return
	}
	if w.changedSince(req.Path, req.Since) {
		w.wakeOne(from, req, true)
		return
	}
	if len(w.waiting) >= maxWatches {
		w.env.Probe("store/too-many-watches")
		w.refuse(from, req, CodeTryAgain, "too many watches are waiting on this node")
		return
	}
	w.waiting = append(w.waiting, watcher{from: from, req: req, until: w.env.Mono() + WatchTimeout})
}

func (w *watches) changedSince(path string, revision uint64) bool {
	log, known := w.disk.replica.Log.Since(revision)
	return !known || slices.ContainsFunc(log, func(e state.LogEntry) bool { return changesPath(&e, path) })
}

// changesPath reports whether a change concerns a path: the entry itself, one below it, or a directory
// above it.
func changesPath(e *state.LogEntry, path string) bool {
	return overlapsPath(e.Path, path) || e.To != "" && overlapsPath(e.To, path)
}

func overlapsPath(a, b string) bool {
	return a == b || a == "" || b == "" || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func (w *watches) wakeOne(to client, req *Request, changed bool) {
	w.replyTo(to, &Response{ID: req.ID, OK: true, Revision: w.disk.revision(), Changed: changed})
}

// wake answers the watches that wait for one of these changes, which are durable here.
func (w *watches) wake(log []state.LogEntry) {
	if len(w.waiting) == 0 || len(log) == 0 {
		return
	}
	w.end(func(one *watcher) bool {
		return slices.ContainsFunc(log, func(e state.LogEntry) bool { return changesPath(&e, one.req.Path) })
	}, true)
}

// wakeAll answers every watch: another state was installed, and its differences are not known.
func (w *watches) wakeAll() { w.end(func(*watcher) bool { return true }, true) }

// sweep answers the watches that waited long enough, without a change.
func (w *watches) sweep(now time.Duration) {
	w.end(func(one *watcher) bool { return one.until <= now }, false)
}

// failAll refuses every watch after a disk error.
func (w *watches) failAll(message string) {
	for _, one := range w.waiting {
		w.refuse(one.from, one.req, CodeFailed, message)
	}
	w.waiting = nil
}

// end answers the watches that match, in the order in which they came.
func (w *watches) end(matches func(*watcher) bool, changed bool) {
	kept := w.waiting[:0]
	for i := range w.waiting {
		one := w.waiting[i]
		if !matches(&one) {
			kept = append(kept, one)
			continue
		}
		w.wakeOne(one.from, one.req, changed)
	}
	clear(w.waiting[len(kept):])
	w.waiting = kept
}
