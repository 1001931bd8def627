package txn

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn/internal/depgraph"
)

// DefaultSearchEdges bounds the edges that the search for the shortest cycle of one set of entangled
// transactions looks at. Whether there is a cycle does not depend on it.
const DefaultSearchEdges = 2_000_000

type options struct {
	consistency       Consistency
	sequentialKeys    bool
	linearizableKeys  bool
	writesFollowReads bool
	searchEdges       int
	timeout           time.Duration // 0: no limit
}

// Option changes how [Check] works.
type Option func(*options)

// WithConsistency sets the consistency model that the history must satisfy.
func WithConsistency(c Consistency) Option { return func(o *options) { o.consistency = c } }

// WithSequentialKeys promises that every process sees the versions of each register in their order.
// Only model rw-register uses it, to order more versions.
func WithSequentialKeys() Option { return func(o *options) { o.sequentialKeys = true } }

// WithLinearizableKeys promises that each register by itself is linearizable. It includes
// [WithSequentialKeys].
func WithLinearizableKeys() Option { return func(o *options) { o.linearizableKeys = true } }

// WithoutWritesFollowReads drops the inference that a value that a transaction wrote comes after the
// value that it had read. The inference holds in every model from read-committed on.
func WithoutWritesFollowReads() Option { return func(o *options) { o.writesFollowReads = false } }

// WithSearchLimit bounds the edges that the search for one shortest cycle looks at.
func WithSearchLimit(edges int) Option { return func(o *options) { o.searchEdges = max(1, edges) } }

// WithTimeout bounds the time that the search for cycles may take. When it ends, the report is
// undecided unless a forbidden anomaly has been found. All other work is linear and has no limit of
// time.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// inference derives edges from values, and explains them.
type inference interface {
	infer()
	// explain returns the key and the reason of an edge; the reason is empty if none is found.
	explain(from, to int32, kind depgraph.Dependency) (key int32, text string)
}

// analysis is the state of one check.
type analysis struct {
	t         *table
	o         *options
	b         *depgraph.Builder
	found     *collector
	infer     inference
	details   []string
	undecided []string
	// assumedLevel is the suffix that every cycle gets: the order of versions assumes that order.
	assumedLevel int
}

// Check judges a history of transactions. ops are in the order of their invoke events, as
// [history.Operations] returns them; operations of negative processes are ignored.
//
// The error is for input that is not what kind describes: it names the operation and wraps
// [ErrTransaction], [ErrKind] or [ErrConsistency]. A history that is wrong gives a report. When ctx ends, the
// report is undecided.
func Check(ctx context.Context, kind Kind, ops []history.Operation, opts ...Option) (*Report, error) {
	o := &options{consistency: DefaultConsistency, writesFollowReads: true, searchEdges: DefaultSearchEdges}
	for _, opt := range opts {
		opt(o)
	}
	if err := kind.check(); err != nil {
		return nil, fmt.Errorf("checking transactions: %w", err)
	}
	consistency, err := FindConsistency(string(o.consistency))
	if err != nil {
		return nil, fmt.Errorf("checking transactions: %w", err)
	}
	o.consistency = consistency
	t, err := parse(kind, ops)
	if err != nil {
		return nil, fmt.Errorf("checking transactions with model %s: %w", kind, err)
	}
	if o.consistency.Implies(ReadCommitted) {
		t.commitObserved() // below that, a read proves no commit
	}
	a := &analysis{t: t, o: o, found: newCollector(t)}
	report := &Report{Kind: kind, Consistency: o.consistency}
	a.count(report)
	checkWithin(a.t, a.found)
	a.run(ctx, report)
	implied, assumed := a.runImplied(ctx, report)
	a.found.into(report, implied, assumed)
	report.Details, report.Undecided = a.details, a.undecided
	return report, nil
}

// runImplied repeats the inference for registers with what the demanded model implies about each key by
// itself: that it is linearizable, or sequential. That orders more versions, but contradicts only
// models that imply the same, so it is done only where nothing else is forbidden. It returns what it
// found and the weakest such model.
func (a *analysis) runImplied(ctx context.Context, report *Report) (*collector, Consistency) {
	o := *a.o
	level, assumed := 0, Consistency("")
	switch {
	case a.t.kind != RWRegister || slices.ContainsFunc(a.found.anomalies(), o.consistency.Forbids):
	case o.consistency.Implies(StrongSnapshotIsolation) && !o.linearizableKeys:
		o.linearizableKeys, level, assumed = true, 2, StrongSnapshotIsolation
	case o.consistency.Implies(SessionSnapshot) && !o.sequentialKeys && !o.linearizableKeys:
		o.sequentialKeys, level, assumed = true, 1, SessionSnapshot
	}
	if level == 0 || len(a.undecided) > 0 && ctx.Err() != nil {
		return nil, ""
	}
	again := &analysis{t: a.t, o: &o, found: newCollector(a.t), assumedLevel: level}
	again.run(ctx, report)
	a.details = append(a.details, fmt.Sprintf("again with what %s implies about each key:", o.consistency))
	a.details = append(a.details, again.details...)
	for _, reason := range again.undecided {
		if !slices.Contains(a.undecided, reason) {
			a.undecided = append(a.undecided, reason)
		}
	}
	return again.found, assumed
}

// run infers the graph of dependencies and looks for cycles.
func (a *analysis) run(ctx context.Context, report *Report) {
	a.b = depgraph.NewBuilder(len(a.t.txns))
	if a.t.kind == ListAppend {
		a.infer = newLists(a)
	} else {
		a.infer = newRegisters(a)
	}
	a.infer.infer()
	addProcessOrder(a.t, a.b)
	timed := addRealtime(a.t, a.b)
	if !timed && report.Stats.Committed > 1 && a.o.consistency.Implies(StrongReadUncommitted) {
		a.undecided = append(a.undecided, fmt.Sprintf("all times are equal, so the order in real time, "+
			"which %s demands, is not known; record times, or choose a model without it", a.o.consistency))
	}
	report.Stats.Dependencies = a.b.Edges()
	if ctx.Err() != nil {
		a.undecided = append(a.undecided, fmt.Sprintf("the search for cycles was not made: %v", ctx.Err()))
		return
	}
	if a.o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.o.timeout)
		defer cancel()
	}
	a.findCycles(ctx, a.b.Build())
}

// count fills the statistics, and notes what makes the history too weak for a verdict.
func (a *analysis) count(report *Report) {
	s := &report.Stats
	s.Transactions, s.Keys, s.Versions = len(a.t.txns), len(a.t.keys), len(a.t.versions)
	for i := range a.t.txns {
		txn := &a.t.txns[i]
		switch {
		case txn.committed:
			s.Committed++
		case txn.outcome == history.Fail:
			s.Failed++
		default:
			s.Unknown++
		}
		if txn.outcome != history.OK {
			continue
		}
		for _, m := range a.t.steps(int32(i)) {
			if m.f == read {
				s.Reads++
			}
		}
	}
	a.details = append(a.details, fmt.Sprintf("%d transactions: %d committed, %d failed, %d with an "+
		"unknown outcome; %d reads, %d keys, %d values", s.Transactions, s.Committed, s.Failed, s.Unknown,
		s.Reads, s.Keys, s.Versions))
	a.weaknesses(s)
}

func (a *analysis) weaknesses(s *Stats) {
	t := a.t
	if n := len(t.unknownFunctions); n > 0 {
		var names []string
		for _, f := range slices.Sorted(maps.Keys(t.unknownFunctions)) {
			if len(names) == maxListed {
				names = append(names, "…")
				break
			}
			names = append(names, fmt.Sprintf("%s (%d)", shorten(f), t.unknownFunctions[f]))
		}
		a.undecided = append(a.undecided, fmt.Sprintf(
			"operations of functions that model %s does not know: %s; it knows txn", t.kind,
			strings.Join(names, ", ")))
	}
	if t.repeated > 0 {
		v := t.firstRepeated
		a.undecided = append(a.undecided, fmt.Sprintf("writes that repeat a value of their key (%d, the "+
			"first is %s of %s): a read of it does not name its writer, so write each value once", t.repeated,
			shorten(t.valueText(v)), t.keyText(t.versions[v].key)))
	}
	switch {
	case s.Committed == 0:
		a.undecided = append(a.undecided, "no transaction committed, so nothing was checked")
	case s.Reads == 0:
		a.undecided = append(a.undecided, "no committed transaction read anything, so nothing was checked")
	}
}
