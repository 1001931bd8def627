package linearizability

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// Functions of a lock history, in the member f. Key names the lock. A holder has at most one hold of a lock
// at a time.
const (
	// FAcquire asks for the lock. The invoke event's value may be {"ttl_ns":n} for a lease of n
	// nanoseconds; the answer's Rev is the fencing token, if there is one, or its value is.
	FAcquire = "acquire"
	// FRenew extends the holder's lease by ttl_ns of its own value, else of the acquire.
	FRenew = "renew"
	// FRelease gives the lock back.
	FRelease = "release"
	// FFence kills a machine (Node) for certain: once it has returned ok, nothing there holds anything.
	FFence = "fence"
	// FFencedWrite is a write protected by the lock Key, made with the token in the invoke event's Mod. Rev
	// is its place in the order of writes.
	FFencedWrite = "fenced_write"
)

var lockFunctions = []models.Function{
	{Name: FAcquire, Value: `{"ttl_ns":n} for a lease`, Answer: "the fencing token in rev, or as the value"},
	{Name: FRenew, Value: `{"ttl_ns":n}`},
	{Name: FRelease},
	{Name: FFence},
	{Name: FFencedWrite, Value: "with the token in mod", Answer: "place among the writes in rev"},
}

// CheckLocks judges a history of locks and leases: no two sure holds of a lock at one time, tokens that are
// unique and rise with real time, and no protected write accepted with a token lower than one accepted
// before it.
//
// A hold is sure from the return of its acquire until the call of its release, the end of its lease counted
// from the call of its last renewal, or a confirmed fence, whichever is first. It is possible from the call
// of its acquire until the return of its release, the end of its lease counted from the return, or a
// confirmed fence. Where only possible holds overlap, the verdict counts a warning and stays valid: the
// history does not prove anything. A lease without a token on the protected write is no mutex, and
// nothing here makes it one.
//
// A history without a hold, or with operations of other functions, is not valid but unknown.
func CheckLocks(ops []history.Operation) Verdict {
	return checkLocks(LocksModel, ops, 0)
}

// CheckLeases is [CheckLocks] for leases of which every one lasts ttl, unless its acquire asks for another
// length. A ttl of 0 means until it is released.
func CheckLeases(ops []history.Operation, ttl time.Duration) Verdict {
	return checkLocks(LeaseModel, ops, ttl.Nanoseconds())
}

func checkLocks(checker string, ops []history.Operation, defaultTTL int64) Verdict {
	l := lockHistory{
		spans:      make([]Span, 0, len(ops)/2),
		open:       make(map[string]int),
		ttl:        make(map[string]int64),
		defaultTTL: defaultTTL,
	}
	sorted := append([]history.Operation(nil), ops...)
	sortByCall(sorted)
	for i := range sorted {
		l.add(&sorted[i])
	}
	found := overlaps(LeaseOverlap, l.spans, func(a, b *Span) string {
		return fmt.Sprintf("%s held %s from %s (%s) until %s; %s got it at %s (%s)", a.Holder,
			lockName(a.Key), seconds(a.Sure.From), opName(&a.Op), a.until(), b.Holder, seconds(b.Sure.From),
			opName(&b.Op))
	})
	violations := append(append(found.violations, l.twice...), l.checkTokens()...)
	violations = append(violations, l.checkWrites(sorted)...)
	v := Verdict{Checker: checker, Validity: Valid, Violations: violations,
		Summary: fmt.Sprintf("%d holds, none of them at the same time as another", len(l.spans))}
	if found.warnings > 0 {
		v.Details = append(v.Details, fmt.Sprintf(
			"%d pairs of holds may have overlapped, which the history cannot tell",
			found.warnings))
	}
	others := intervalForeign(ops, lockFunctions)
	return others.settle(v, len(ops), len(l.spans)+l.accepted)
}

func (s *Span) until() string {
	if s.Sure.To == forever {
		return "the end"
	}
	return fmt.Sprintf("%s (%s)", seconds(s.Sure.To), s.End)
}

func lockName(key string) string {
	if key == "" {
		return "the lock"
	}
	return "lock " + key
}

// invalidIfViolated makes the verdict invalid if it lists violations.
func (v Verdict) invalidIfViolated() Verdict {
	if len(v.Violations) > 0 {
		first := &v.Violations[0]
		v.Validity, v.Evidence = Invalid, first.Ops
		v.Summary = fmt.Sprintf("%s: %s", first.Kind.Title(), first.Explain)
	}
	return v
}

// lockHistory builds the spans of a lock history, call by call.
type lockHistory struct {
	spans []Span
	open  map[string]int   // lock and holder -> their latest span
	ttl   map[string]int64 // the same -> length of the lease, 0 without
	twice []Violation

	defaultTTL int64
	accepted   int // protected writes
}

// tokenOf returns the fencing token that an acquire was answered with: its Rev, or else its value, as a
// number or in {"token":n}. 0 means none.
func tokenOf(op *history.Operation) uint64 {
	if op.Rev != 0 || len(op.Output) == 0 {
		return op.Rev
	}
	var token uint64
	if json.Unmarshal(op.Output, &token) == nil {
		return token
	}
	var value struct {
		Token uint64 `json:"token"`
	}
	if json.Unmarshal(op.Output, &value) != nil {
		return 0
	}
	return value.Token
}

func ttlOf(op *history.Operation) int64 {
	var value struct {
		TTL int64 `json:"ttl_ns"`
	}
	if len(op.Input) == 0 || json.Unmarshal(op.Input, &value) != nil {
		return 0
	}
	return max(0, value.TTL)
}

func (l *lockHistory) add(op *history.Operation) {
	holder := holderOf(op)
	id := op.Key + "\x00" + holder
	switch op.F {
	case FAcquire:
		l.acquire(op, id, holder)
	case FRenew:
		l.renew(op, id)
	case FRelease:
		l.release(op, id)
	case FFence:
		if op.Outcome == history.OK {
			l.fence(op)
		}
	}
}

func (l *lockHistory) acquire(op *history.Operation, id, holder string) {
	if op.Outcome == history.Fail {
		return
	}
	ttl := cmp.Or(ttlOf(op), l.defaultTTL)
	s := Span{Key: op.Key, Holder: holder, Op: *op, Possible: Interval{op.Call, forever}}
	if op.Outcome == history.OK {
		s.Token = tokenOf(op)
		s.Sure = Interval{op.Return, forever}
		if ttl > 0 {
			s.Sure.To, s.Possible.To = saturating(op.Call, ttl), saturating(op.Return, ttl)
			s.End = "end of the lease"
		}
	}
	if k, again := l.open[id]; again {
		l.acquireAgain(&l.spans[k], op, ttl)
	}
	l.open[id], l.ttl[id] = len(l.spans), ttl
	l.spans = append(l.spans, s)
}

// acquireAgain handles an acquire by the present holder: for a lease that is another way to renew, for a
// lock it must not succeed.
func (l *lockHistory) acquireAgain(s *Span, op *history.Operation, ttl int64) {
	if ttl == 0 && op.Outcome == history.OK && s.Sure.From < s.Sure.To && s.Sure.To == forever &&
		s.Sure.From < op.Call && len(l.twice) < maxViolations {
		l.twice = append(l.twice, Violation{Kind: LeaseOverlap, Ops: []history.Operation{s.Op, *op},
			Explain: fmt.Sprintf(
				"%s held %s from %s (%s) and got it again at %s (%s) without giving it back", s.Holder,
				lockName(s.Key), seconds(s.Sure.From), opName(&s.Op), seconds(op.Return), opName(op))})
	}
	s.end(op.Call, op.Return, op.Outcome == history.OK, opName(op))
}

func (l *lockHistory) renew(op *history.Operation, id string) {
	k, ok := l.open[id]
	if !ok || op.Outcome == history.Fail {
		return
	}
	ttl := ttlOf(op)
	if ttl == 0 {
		ttl = l.ttl[id]
	}
	s := &l.spans[k]
	if op.Outcome != history.OK {
		s.Possible.To = forever // it may be extended, from an unknown instant
		return
	}
	if !s.Sure.empty() && op.Return <= s.Possible.To {
		s.Sure.To = max(s.Sure.To, saturating(op.Call, ttl))
	}
	s.Possible.To = max(s.Possible.To, saturating(op.Return, ttl))
}

func (l *lockHistory) release(op *history.Operation, id string) {
	k, ok := l.open[id]
	if !ok {
		return
	}
	s := &l.spans[k]
	if op.Outcome == history.Fail {
		return // certainly not given back
	}
	s.end(op.Call, op.Return, op.Outcome == history.OK, opName(op))
	delete(l.open, id)
}

// fence ends everything that is held on a machine.
func (l *lockHistory) fence(op *history.Operation) {
	for k := range l.spans {
		if s := &l.spans[k]; s.Op.Node == op.Node && s.Op.Call < op.Return {
			s.end(op.Return, op.Return, true, opName(op))
		}
	}
}

// end shortens a span: it is not sure after the instant from, and not possible after to, if confirmed.
func (s *Span) end(from, to int64, confirmed bool, why string) {
	if from < s.Sure.To {
		s.Sure.To, s.End = from, why
	}
	if confirmed {
		s.Possible.To = min(s.Possible.To, to)
	}
}

// checkTokens checks that fencing tokens are unique and rise with real time.
func (l *lockHistory) checkTokens() (violations []Violation) {
	byKey := make(map[string][]*Span)
	var keys []string
	for i := range l.spans {
		if s := &l.spans[i]; s.Token != 0 {
			if byKey[s.Key] == nil {
				keys = append(keys, s.Key)
			}
			byKey[s.Key] = append(byKey[s.Key], s)
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		group := byKey[key]
		sort.SliceStable(group, func(i, j int) bool { return group[i].Token < group[j].Token })
		var latest *Span // the latest call among lower or equal tokens
		for _, s := range group {
			if latest != nil && len(violations) < maxViolations &&
				(latest.Token == s.Token || s.Op.Return < latest.Op.Call) {
				violations = append(violations, Violation{Kind: TokenOrder, Revisions: []uint64{s.Token,
					latest.Token},
					Ops: []history.Operation{s.Op, latest.Op},
					Explain: fmt.Sprintf(
						"%s got token %d for %s at %s; %s asked at %s and got token %d", s.Holder,
						s.Token, lockName(key), seconds(s.Op.Return), latest.Holder,
						seconds(latest.Op.Call), latest.Token)})
			}
			if latest == nil || s.Op.Call > latest.Op.Call {
				latest = s
			}
		}
	}
	return violations
}

// checkWrites checks that no protected write was accepted after one with a higher token.
func (l *lockHistory) checkWrites(ops []history.Operation) (violations []Violation) {
	highest := make(map[string]*history.Operation)
	accepted := make([]*history.Operation, 0)
	for i := range ops {
		if ops[i].F == FFencedWrite && ops[i].Outcome == history.OK {
			accepted = append(accepted, &ops[i])
		}
	}
	l.accepted = len(accepted)
	sort.SliceStable(accepted, func(i, j int) bool { return accepted[i].Rev < accepted[j].Rev })
	for _, w := range accepted {
		top := highest[w.Key]
		if top != nil && w.Expect < top.Expect && len(violations) < maxViolations {
			violations = append(violations, Violation{Kind: TokenOrder, Revisions: []uint64{top.Rev, w.Rev},
				Ops: []history.Operation{*top, *w}, Explain: fmt.Sprintf(
					"%s with token %d was accepted at revision %d, after %s with the higher token %d at "+
						"revision %d", opName(w), w.Expect, w.Rev, opName(top), top.Expect, top.Rev)})
		}
		if top == nil || w.Expect > top.Expect {
			highest[w.Key] = w
		}
	}
	return violations
}
