package storecheck

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Watches checks that a client which watches again from the revision of the last answer misses nothing. A
// change concerns a watch if it is of the watched path, of something below it or of a directory above it;
// both names of a rename count. For a watch since revision S on machine n, by the records of n's store:
//
//   - The answer names the revision R and the chain that n has on its disk, so R never goes back in an epoch,
//     and covers every change that the answer reports.
//   - "Not changed" means that S is not above R and that no change above S on n's disk concerns the watch.
//     If the client named the chain at S, n is not known to have another one there: it has not gone over to a
//     branch in which S is another change. All of this also holds when a watch begins to wait.
//   - "Changed" means that R is above S, unless n had less than S or another chain there, or an epoch was
//     installed on n while the watch waited. Without these exceptions a change above S concerns the watch,
//     as far as n is known to have the changes since S in its log.
//   - A waiting watch is answered at the instant at which n's disk has a change above S that concerns it:
//     by a commit, or with the state of an epoch. The same holds when that state lacks changes that n had and
//     that concern the watch (simulator only).
//   - The client gets the answer that n recorded, and gets it soon (simulator only).
type Watches struct {
	machines []string
	// judgedWakeup is maxJudgedWakeup, or less.
	judgedWakeup uint64
	stores       []watchedStore           // by machine
	asked        map[string]*watchRequest // by id
	// violations holds the first one of each kind.
	violations []linearizability.Violation
	// changed and unchanged count the answers, waited those among the first that had to wait.
	changed, unchanged, waited int
}

// watchRequest is a watch, as far as records show it.
type watchRequest struct {
	store.Watching
	waits bool
	// installed reports that an epoch was installed while the watch waited.
	installed bool
	answer    *store.WatchAnswered
	answerAt  time.Duration
}

// watchedStore is what the records of one machine's store show of it.
type watchedStore struct {
	revision uint64            // on its disk
	chain    string            // at this revision
	log      changeLog         // of the branch that it has
	waiting  []*watchRequest   // in the order in which they came
	due      map[string]string // by request: the reason why it must be answered at the instant dueAt
	dueAt    time.Duration
}

// Kinds of violations of watches.
const (
	// MissedChange is a watch that does not report a change.
	MissedChange linearizability.Kind = "missed-change"
	// LostWakeup is a watch that waits on although a change concerns it.
	LostWakeup linearizability.Kind = "lost-wakeup"
	// NeedlessWakeup is a watch that reports a change where there is none.
	NeedlessWakeup linearizability.Kind = "needless-wakeup"
	// WrongWatchRevision is a watch that is answered with a revision that the node does not have on its disk.
	WrongWatchRevision linearizability.Kind = "wrong-watch-revision"
	// WrongWatchAnswer is a watch whose client does not get the answer that the store recorded.
	WrongWatchAnswer linearizability.Kind = "wrong-watch-answer"
)

const (
	// maxJudgedWakeup is how many changes lie at most between the revision of a watch and the answer, if
	// the answer is judged as needless. Where a store keeps fewer changes in its log, it is one less than it
	// keeps, because the store must still have the change of the revision itself to compare its chain.
	maxJudgedWakeup = 64
	// maxWatchReply is how long an answer may take to its client on the same machine.
	maxWatchReply = time.Second
)

// NewWatches makes the check.
func NewWatches(c Cluster) *Watches {
	w := &Watches{machines: c.Machines, stores: make([]watchedStore, len(c.Machines)),
		asked: map[string]*watchRequest{}, judgedWakeup: maxJudgedWakeup}
	if c.LogKeep > 0 {
		w.judgedWakeup = min(w.judgedWakeup, c.LogKeep-1)
	}
	for m := range w.stores {
		w.stores[m] = watchedStore{log: changeLog{}, due: map[string]string{}}
	}
	return w
}

// Name implements check.Check.
func (*Watches) Name() string { return "watches" }

// Observe implements check.Observer.
func (w *Watches) Observe(r scenarios.Stamped) {
	s := &w.stores[r.Machine]
	if r.At > s.dueAt {
		w.reportDue(int(r.Machine))
	}
	switch rec := r.Record.(type) {
	case store.Opened:
		s.revision, s.chain, s.waiting = rec.Revision, rec.Chain, nil
		s.log.dropAbove(rec.Revision)
	case store.Failed:
		s.waiting = nil // all are refused
	case store.Applied:
		s.log.add(rec)
		if rec.Revision >= s.revision {
			s.revision, s.chain = rec.Revision, rec.Chain
		}
		for _, one := range s.waiting {
			if rec.Revision > one.Since && concerns(&rec, one.Path) {
				s.mustAnswer(one, r.At, fmt.Sprintf("revision %d, %s %s", rec.Revision, rec.Op, rec.Path))
			}
		}
	case store.Installed:
		s.onInstalled(&rec, r.At)
	case store.Watching:
		one := &watchRequest{Watching: rec, waits: true}
		w.asked[rec.Request] = one
		s.waiting = append(s.waiting, one)
		w.checkUnchanged(int(r.Machine), &rec, rec.Revision, "waits")
	case store.WatchAnswered:
		w.onAnswered(int(r.Machine), &rec, r.At)
	}
}

// mustAnswer notes that a waiting watch must be answered at an instant.
func (s *watchedStore) mustAnswer(one *watchRequest, at time.Duration, why string) {
	if s.dueAt = at; s.due[one.Request] == "" {
		s.due[one.Request] = why
	}
}

// reportDue reports the watches that were not answered when they had to be.
func (w *Watches) reportDue(m int) {
	s := &w.stores[m]
	for _, one := range s.waiting {
		if why := s.due[one.Request]; why != "" {
			w.addViolation(LostWakeup, one.Since, "%s keeps %s waiting, a watch of %q since revision %d, "+
				"although it has %s since %v", w.machines[m], one.Request, one.Path, one.Since, why, s.dueAt)
		}
	}
	clear(s.due)
}

// onInstalled takes the state of an epoch, and what it changes for the watches that wait.
func (s *watchedStore) onInstalled(r *store.Installed, at time.Duration) {
	var gone, came []store.Applied // changes that are on one of two branches only
	if r.How == "full" {
		next := changeLog{}
		for i := range r.Received {
			next.add(r.Received[i])
		}
		gone, came = differenceOf(s.log, next, s.revision, r.Revision)
		s.log = next
	} else {
		for i := range r.Received {
			s.log.add(r.Received[i])
		}
		came = r.Received
	}
	s.revision, s.chain = r.Revision, r.Chain
	for _, one := range s.waiting {
		one.installed = true
		for i := range gone {
			if concerns(&gone[i], one.Path) {
				s.mustAnswer(one, at, fmt.Sprintf("revision %d, %s %s, no longer", gone[i].Revision,
					gone[i].Op, gone[i].Path))
			}
		}
		for i := range came {
			if c := &came[i]; concerns(c, one.Path) && (c.Revision > one.Since || len(gone) > 0) {
				s.mustAnswer(one, at, fmt.Sprintf("revision %d, %s %s", c.Revision, c.Op, c.Path))
			}
		}
	}
}

// onAnswered judges an answer by what the machine has on its disk.
func (w *Watches) onAnswered(m int, a *store.WatchAnswered, at time.Duration) {
	s := &w.stores[m]
	one := w.asked[a.Request]
	if one == nil {
		one = &watchRequest{Watching: store.Watching{Request: a.Request, Path: a.Path, Since: a.Since,
			SinceChain: a.SinceChain}}
		w.asked[a.Request] = one
	}
	one.answer, one.answerAt = a, at
	s.waiting = slices.DeleteFunc(s.waiting, func(o *watchRequest) bool { return o == one })
	delete(s.due, a.Request)
	if a.Revision != s.revision || a.Chain != s.chain {
		w.addViolation(WrongWatchRevision, a.Revision, "%s answers %s with revision %d (%s) while its disk "+
			"has revision %d (%s)", w.machines[m], a.Request, a.Revision, a.Chain, s.revision, s.chain)
	}
	if !a.Changed {
		w.unchanged++
		w.checkUnchanged(m, &one.Watching, a.Revision, "is answered without a change")
		return
	}
	w.changed++
	if one.waits {
		w.waited++
	}
	switch {
	case one.installed || a.Revision < a.Since || s.otherChain(&one.Watching) != "":
	case a.Revision == a.Since:
		w.addViolation(NeedlessWakeup, a.Revision, "%s answers %s that something has changed after revision "+
			"%d, at that revision", w.machines[m], a.Request, a.Since)
	case a.Revision-a.Since <= w.judgedWakeup && s.log.isComplete(a.Since, a.Revision) &&
		s.log.firstConcern(a.Path, a.Since, a.Revision) == nil:
		w.addViolation(NeedlessWakeup, a.Revision, "%s answers %s at revision %d that %q has changed after "+
			"revision %d, and no change concerns it", w.machines[m], a.Request, a.Revision, a.Path, a.Since)
	}
}

// checkUnchanged checks that nothing on a machine's disk concerns a watch that waits or is answered without a
// change.
func (w *Watches) checkUnchanged(m int, one *store.Watching, revision uint64, does string) {
	if one.Since > revision {
		w.addViolation(MissedChange, one.Since, "%s: %s %s at revision %d, although it asks for changes "+
			"after revision %d, which the machine does not have", w.machines[m], one.Request, does, revision,
			one.Since)
	}
	if other := w.stores[m].otherChain(one); other != "" {
		w.addViolation(MissedChange, one.Since, "%s: %s, a watch of %q since revision %d (%s), %s at "+
			"revision %d, although the machine has another change under that number (%s)", w.machines[m],
			one.Request, one.Path, one.Since, one.SinceChain, does, revision, other)
	}
	if c := w.stores[m].log.firstConcern(one.Path, one.Since, revision); c != nil {
		w.addViolation(MissedChange, c.Revision, "%s: %s, a watch of %q since revision %d, %s at revision "+
			"%d, although the machine has revision %d, %s %s", w.machines[m], one.Request, one.Path,
			one.Since, does, revision, c.Revision, c.Op, c.Path)
	}
}

// otherChain returns the chain that a disk has at the revision of a watch if the client named another one; ""
// if it is not known to have another one.
func (s *watchedStore) otherChain(one *store.Watching) string {
	if c, known := s.log[one.Since]; known && one.SinceChain != "" && c.Chain != one.SinceChain {
		return c.Chain
	}
	return ""
}

// addViolation adds a violation if none of its kind is known: the others of a run have the same cause.
func (w *Watches) addViolation(kind linearizability.Kind, rev uint64, format string, args ...any) {
	if !slices.ContainsFunc(w.violations, func(v linearizability.Violation) bool { return v.Kind == kind }) {
		w.violations = append(w.violations, *violationAt(kind, rev, format, args...))
	}
}

// Judge implements check.Check. Where records may be missing, nothing is concluded from the absence of one.
func (w *Watches) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	ops, err := history.Operations(e.Run.Events)
	if err != nil {
		return check.Unknown(w.Name(), err)
	}
	for m := range w.stores {
		w.reportDue(m)
	}
	for i := range ops {
		if one := w.asked[ops[i].ID]; one != nil && one.answer != nil && ops[i].F == workload.Watch {
			w.judgeClient(&ops[i], one, e.Incomplete)
		}
	}
	violations := slices.Clone(w.violations)
	if e.Incomplete {
		violations = slices.DeleteFunc(violations,
			func(v linearizability.Violation) bool { return v.Kind == LostWakeup })
	}
	summary := "no client watched"
	if answers := w.changed + w.unchanged; answers > 0 {
		summary = fmt.Sprintf("none of %d answers to watches missed a change; %d reported one, %d of them "+
			"after a wait", answers, w.changed, w.waited)
	}
	return check.Verdict(w.Name(), violations, summary)
}

// judgeClient compares what a client got with what the store recorded.
func (w *Watches) judgeClient(op *history.Operation, one *watchRequest, incomplete bool) {
	a := one.answer
	switch ended := time.Duration(op.Ended); {
	case op.Outcome == history.OK:
		var v workload.WatchValue
		if json.Unmarshal(op.Output, &v) != nil || v.WatchAnswer == nil || v.Since != a.Since ||
			v.Changed != a.Changed || v.Revision != a.Revision {
			w.addViolation(WrongWatchAnswer, a.Revision, "%s answered %s with %s, and recorded changed %v "+
				"at revision %d", op.Node, op.ID, op.Output, a.Changed, a.Revision)
		}
	case workload.GaveUpWatch(op.F, op.Outcome, op.Error) && !incomplete &&
		ended-one.answerAt > maxWatchReply:
		w.addViolation(WrongWatchAnswer, a.Revision, "%s answered %s at %v, and its client had got nothing "+
			"by %v", op.Node, op.ID, one.answerAt, ended)
	}
}
