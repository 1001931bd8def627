package store

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// WatchTimeout is how long a watch waits for a change before it is answered without one.
const WatchTimeout = 30 * time.Second

// maxWatches is the number of watches that wait on one store.
const maxWatches = 256

// waitingWatch is a client that waits for a change at, above or below a path.
type waitingWatch struct {
	client   client
	request  *Request
	deadline time.Duration
}

// watches are the clients that wait for changes on this node.
type watches struct {
	*shared
	waitingWatches []waitingWatch
}

// addWatch answers when something at the path has changed after the revision that the client has seen. What
// has changed already is answered at once. A client that asks again with the revision and the chain of the
// answer misses nothing; it may be woken without a change after another state was installed or when the log
// does not reach back that far.
func (w *watches) addWatch(from client, req *Request) {
	if bad := tree.CheckPath(req.Path); bad != nil {
		w.replyRefused(from, req, bad.Code, bad.Message)
		return
	}
	if w.changedSince(req) {
		w.wakeOne(from, req, true)
		return
	}
	if len(w.waitingWatches) >= env.Limit(w.env, "store/few-watches", maxWatches, 1) {
		w.env.Probe("store/too-many-watches")
		w.replyRefused(from, req, CodeTryAgain, "too many watches are waiting on this node")
		return
	}
	w.waitingWatches = append(w.waitingWatches,
		waitingWatch{client: from, request: req, deadline: w.env.Mono() + WatchTimeout})
	if from.localProcess == "" {
		w.env.Emit(Watching{Request: req.ID, Path: req.Path, Since: req.Since,
			SinceChain: shortText(req.Chain), Revision: w.disk.revision()})
	}
}

func (w *watches) changedSince(req *Request) bool {
	log, known := w.disk.replica.Log.Since(req.Since)
	return !known || !w.isOnBranch(req) ||
		slices.ContainsFunc(log, func(e state.LogEntry) bool { return changesPath(&e, req.Path) })
}

// isOnBranch reports whether this node has the revision that the client knows, and not another change under
// its number: the first one is lost where the others went on without this node before they had it.
func (w *watches) isOnBranch(req *Request) bool {
	if req.Chain == "" || req.Since == 0 {
		return true
	}
	e := w.disk.replica.Log.At(req.Since)
	return e != nil && chainText(e.Chain) == req.Chain
}

func chainText(chain [32]byte) string { return hex.EncodeToString(chain[:]) }

// shortText shortens the text of a chain as records do.
func shortText(chain string) string { return chain[:min(len(chain), shortHexBytes)] }

// changesPath reports whether a change concerns a path: the entry itself, one below it, or a directory
// above it.
func changesPath(e *state.LogEntry, path string) bool {
	return overlapsPath(e.Path, path) || e.To != "" && overlapsPath(e.To, path)
}

func overlapsPath(a, b string) bool {
	return a == b || a == "" || b == "" || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// wakeOne answers a watch. Those of processes of this machine are not recorded: they are part of no history.
func (w *watches) wakeOne(to client, req *Request, changed bool) {
	at := w.disk.replica.Mark()
	if to.localProcess == "" {
		w.env.Emit(WatchAnswered{Request: req.ID, Path: req.Path, Since: req.Since,
			SinceChain: shortText(req.Chain), Changed: changed, Revision: at.Revision,
			Chain: shortHex(at.Chain), Epoch: w.disk.replica.Epoch})
	}
	w.replyTo(to, &Response{ID: req.ID, OK: true, Revision: at.Revision, Changed: changed,
		Chain: chainText(at.Chain)})
}

// wakeChanged answers the watches that wait for one of these changes, which are durable here.
func (w *watches) wakeChanged(log []state.LogEntry) {
	if len(w.waitingWatches) == 0 || len(log) == 0 {
		return
	}
	w.answerMatching(func(one *waitingWatch) bool {
		return slices.ContainsFunc(log, func(e state.LogEntry) bool {
			return changesPath(&e,
				one.request.Path)
		})
	}, true)
}

// wakeAll answers every watch: another state was installed, and its differences are not known.
func (w *watches) wakeAll() { w.answerMatching(func(*waitingWatch) bool { return true }, true) }

// expireOld answers the watches that waited long enough, without a change.
func (w *watches) expireOld(now time.Duration) {
	w.answerMatching(func(one *waitingWatch) bool { return one.deadline <= now }, false)
}

// failAll refuses every watch after a disk error.
func (w *watches) failAll(message string) {
	for _, one := range w.waitingWatches {
		w.replyRefused(one.client, one.request, CodeFailed, message)
	}
	w.waitingWatches = nil
}

// answerMatching answers the watches that match, in the order in which they came.
func (w *watches) answerMatching(matches func(*waitingWatch) bool, changed bool) {
	kept := w.waitingWatches[:0]
	for i := range w.waitingWatches {
		one := w.waitingWatches[i]
		if !matches(&one) {
			kept = append(kept, one)
			continue
		}
		w.wakeOne(one.client, one.request, changed)
	}
	clear(w.waitingWatches[len(kept):])
	w.waitingWatches = kept
}
