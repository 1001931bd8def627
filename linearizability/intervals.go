package linearizability

import (
	"fmt"
	"math"
	"sort"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Interval is a span of time in nanoseconds on the clock of the history. It is empty unless From < To.
type Interval struct{ From, To int64 }

func (i Interval) empty() bool { return i.From >= i.To }

// Span is the time in which a holder has something that only one holder may have.
type Span struct {
	// Key is what is held, Holder names who holds it.
	Key, Holder string
	// Sure is when it is certainly held, Possible when it may be. Sure lies inside Possible.
	Sure, Possible Interval
	// Op is the call that began the span; Token is the fencing token it returned, 0 if none.
	Op    history.Operation
	Token uint64
	// End describes what ended the sure part.
	End string
}

// overlapFindings lists overlaps of spans with equal keys and different holders.
type overlapFindings struct {
	violations []Violation
	warnings   int
}

// overlaps compares spans, in any order: sure parts that meet are violations of the given kind,
// possible parts that meet are counted as warnings.
func overlaps(kind Kind, spans []Span, describe func(a, b *Span) string) (found overlapFindings) {
	byKey := make(map[string][]*Span)
	var keys []string
	for i := range spans {
		if byKey[spans[i].Key] == nil {
			keys = append(keys, spans[i].Key)
		}
		byKey[spans[i].Key] = append(byKey[spans[i].Key], &spans[i])
	}
	sort.Strings(keys)
	for _, key := range keys {
		group := byKey[key]
		sweep(group, func(s *Span) Interval { return s.Sure }, func(a, b *Span) {
			if len(found.violations) < maxViolations {
				found.violations = append(found.violations, Violation{Kind: kind, Explain: describe(a, b),
					Ops: []history.Operation{a.Op, b.Op}})
			}
		})
		sweep(group, func(s *Span) Interval { return s.Possible }, func(_, _ *Span) { found.warnings++ })
	}
	found.warnings -= len(found.violations)
	return found
}

// sweep calls meet for every span that begins while a span of another holder has not ended.
func sweep(group []*Span, of func(*Span) Interval, meet func(a, b *Span)) {
	order := make([]*Span, 0, len(group))
	for _, s := range group {
		if !of(s).empty() {
			order = append(order, s)
		}
	}
	sort.SliceStable(order, func(i, j int) bool { return of(order[i]).From < of(order[j]).From })
	var longest, other *Span // the last to end, and the last to end among other holders
	for _, s := range order {
		rival := longest
		if rival != nil && rival.Holder == s.Holder {
			rival = other
		}
		if rival != nil && of(s).From < of(rival).To {
			meet(rival, s)
		}
		switch {
		case longest == nil || of(s).To > of(longest).To:
			if longest != nil && longest.Holder != s.Holder {
				other = longest
			}
			longest = s
		case s.Holder != longest.Holder && (other == nil || of(s).To > of(other).To):
			other = s
		}
	}
}

// holderOf names who made a call: its node if known, else its process.
func holderOf(op *history.Operation) string {
	if op.Node != "" {
		return op.Node
	}
	return fmt.Sprintf("process %d", op.Process)
}

// forever ends intervals that nothing ended.
const forever = math.MaxInt64

// saturating adds a duration to an instant without running over.
func saturating(at, d int64) int64 {
	if d > 0 && at > forever-d {
		return forever
	}
	return at + d
}
