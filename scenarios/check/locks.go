package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Locks judges whether two clients held a lock at one time, by [linearizability.CheckLocks].
func Locks() Check[*scenarios.Run] {
	return Func(linearizability.LocksModel, func(_ context.Context,
		r *scenarios.Run) linearizability.Verdict {
		ops, err := history.Operations(slices.DeleteFunc(slices.Clone(r.Events), func(e history.Event) bool {
			return !workload.IsLockOperation(e.F)
		}))
		if err != nil {
			return Unknown(linearizability.LocksModel, err)
		}
		return linearizability.CheckLocks(ops)
	})
}

// LockWaitsChecker is the name of the verdict of [LockWaits].
const LockWaitsChecker = "lock-waits"

// starvedAfter is how often, for each client, others may get a lock while one waits without a fault. If
// every waiting client is as likely as another to be next, it happens with a probability of e^-starvedAfter.
const starvedAfter = 20

// lockWait is the time from a client's first look at a lock until it has it.
type lockWait struct {
	client   int
	key      string
	from, to time.Duration
	served   bool
	taken    history.Operation // where served
}

// LockWaits judges whether every client that waits for a lock gets it, and reports how long that took.
// Invalid is
//
//   - a wait, without a fault in it, during which others got the lock [starvedAfter] times as often as there
//     are clients
//   - a lock that stayed free, without a fault, for longer than a recovery and two looks while a client
//     waited
//   - a smaller share of waits that were served than the scenario asks for
//
// It is unknown if no client waited.
func LockWaits() Check[*scenarios.Run] {
	return Func(LockWaitsChecker, func(_ context.Context, r *scenarios.Run) linearizability.Verdict {
		if r.Scenario.Workload.Locks == nil {
			return linearizability.Verdict{Validity: linearizability.Unknown, Summary: "no client uses locks"}
		}
		ops, err := history.Operations(r.Events)
		if err != nil {
			return Unknown(LockWaitsChecker, err)
		}
		return newLockWaits(r, ops).judge()
	})
}

// lockWaits are the waits of a run, in the order in which they ended or, if they never did, began.
type lockWaits struct {
	run    *scenarios.Run
	waits  []lockWait
	freeAt map[string]time.Duration // lock -> since when it is free at the end of the run, at the latest
	end    time.Duration            // of the workload
}

func newLockWaits(r *scenarios.Run, ops []history.Operation) *lockWaits {
	s := r.Scenario
	l := &lockWaits{run: r, freeAt: map[string]time.Duration{}, end: s.Warmup + s.Duration}
	keys := map[string]bool{} // of locks
	for i := range ops {
		if workload.IsLockOperation(ops[i].F) {
			keys[ops[i].Key] = true
		}
	}
	open := map[int]lockWait{} // by client
	for i := range ops {
		op := &ops[i]
		if op.Process >= workload.FirstActor || !keys[op.Key] {
			continue
		}
		client := op.Process % s.Workload.Clients
		w, waits := open[client]
		switch {
		case op.F == workload.Acquire && op.Outcome == history.OK:
			if !waits {
				w = lockWait{client: client, key: op.Key, from: time.Duration(op.Call)}
			}
			w.to, w.served, w.taken = time.Duration(op.Return), true, *op
			l.waits = append(l.waits, w)
			delete(open, client)
		case !waits && (op.F == workload.ReadLocal || op.F == workload.Acquire):
			open[client] = lockWait{client: client, key: op.Key, from: time.Duration(op.Call), to: l.end}
		}
		l.noteFree(op)
	}
	for client := range s.Workload.Clients {
		if w, waits := open[client]; waits {
			l.waits = append(l.waits, w)
		}
	}
	return l
}

// noteFree notes from when on others may take a lock, as far as an operation determines it.
func (l *lockWaits) noteFree(op *history.Operation) {
	at := time.Duration(op.Call)
	if op.Outcome == history.OK {
		at = time.Duration(op.Return)
	}
	switch {
	case op.F == workload.Release && op.Outcome == history.OK:
	case workload.IsLockOperation(op.F) && op.Outcome != history.Fail:
		at += l.run.Scenario.Workload.Locks.TTL // perhaps a client has it until then
	default:
		return
	}
	l.freeAt[op.Key] = max(l.freeAt[op.Key], at)
	if op.F == workload.Release && op.Outcome == history.OK {
		l.freeAt[op.Key] = at
	}
}

// quiet reports whether no fault was active at any instant between two.
func (l *lockWaits) quiet(from, to time.Duration) bool {
	return !slices.ContainsFunc(l.run.Applied, func(a scenarios.Applied) bool {
		ended := a.Ended[1]
		if ended == 0 {
			ended = Forever
		}
		return a.Begun[0] < to && from < ended+l.run.Scenario.Quiescence
	})
}

func (l *lockWaits) judge() linearizability.Verdict {
	v := linearizability.Verdict{Validity: linearizability.Unknown, Summary: "no client waited for a lock"}
	if len(l.waits) == 0 {
		return v
	}
	v.Validity, v.Summary = linearizability.Valid, l.numbers()
	for i := range l.waits {
		problem := l.starved(&l.waits[i])
		if problem == "" {
			continue
		}
		if v.Validity == linearizability.Valid {
			v.Validity, v.Summary = linearizability.Invalid, problem
			v.Details = append(v.Details, l.numbers())
		} else {
			v.Details = append(v.Details, problem)
		}
	}
	least := l.run.Scenario.Workload.Locks.Served
	if served := l.served(); least != nil && v.Validity == linearizability.Valid &&
		int64(served)*int64(fault.Always) < int64(*least)*int64(len(l.waits)) {
		v.Validity = linearizability.Invalid
		v.Summary = fmt.Sprintf("%s; the scenario asks for %s", v.Summary, *least)
	}
	return v
}

// starved is why a wait was not fair; "" if nothing shows that.
func (l *lockWaits) starved(w *lockWait) string {
	s := l.run.Scenario
	passed := 0 // others that got the lock meanwhile
	for i := range l.waits {
		o := &l.waits[i]
		if o.served && o.key == w.key && o.client != w.client && w.from < o.to && o.to < w.to {
			passed++
		}
	}
	if limit := starvedAfter * s.Workload.Clients; passed >= limit && l.quiet(w.from, w.to) {
		return fmt.Sprintf("client %d waited for lock %s from %v to %v while others got it %d times",
			w.client, w.key, w.from, w.to, passed)
	}
	if w.served {
		return ""
	}
	free := max(w.from, l.freeAt[w.key])
	if patience := s.Quiescence + 2*s.Workload.Locks.Poll; l.end-free > patience && l.quiet(free, l.end) {
		return fmt.Sprintf("lock %s was free from %v on, and client %d, which had waited since %v, "+
			"did not get it until %v", w.key, free, w.client, w.from, l.end)
	}
	return ""
}

func (l *lockWaits) served() (count int) {
	for i := range l.waits {
		if l.waits[i].served {
			count++
		}
	}
	return count
}

// numbers describes how long the waits took.
func (l *lockWaits) numbers() string {
	within := l.run.Scenario.Workload.Locks.Within
	var lengths []time.Duration
	short := 0
	for i := range l.waits {
		if w := &l.waits[i]; w.served {
			lengths = append(lengths, w.to-w.from)
			if w.to-w.from <= within {
				short++
			}
		}
	}
	text := fmt.Sprintf("%d of %d waits were served, %d of them within %v", len(lengths), len(l.waits), short,
		within)
	if len(lengths) == 0 {
		return text
	}
	slices.Sort(lengths)
	const resolution = time.Millisecond
	return fmt.Sprintf("%s; half of them within %v, the longest took %v", text,
		lengths[(len(lengths)-1)/2].Round(resolution), lengths[len(lengths)-1].Round(resolution))
}
