package order

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// QueueOp puts a value into a queue, or took it out.
type QueueOp struct {
	Span
	Value int32
}

// Drain took Values out of a queue one after the other, and then found it empty.
type Drain struct {
	Span
	Values []int32
}

// Queue is a history of a queue. Values are numbered from 0. Calls that certainly failed are left out.
type Queue struct {
	Values   int32
	Enqueues []QueueOp
	Dequeues []QueueOp
	Drains   []Drain
	// Empty are dequeues that found nothing.
	Empty []Span
	// Unknown are dequeues without an answer: each may have taken one value after its call, or none.
	// UnknownDrains may each have taken any number.
	Unknown, UnknownDrains []Span
	// Ordered means that values leave in the order in which they came.
	Ordered bool
}

// item is one value that was put into the queue once.
type item struct {
	value    int32
	in, out  Span
	isTaken  bool
	drain    int // the drain that took it, or -1
	position int // in it
}

type queueCheck struct {
	h        *Queue
	items    []item
	empty    []Span
	byDrain  [][]int // the items that each drain took, in its order
	isUnique bool    // no value was put in twice

	unknown    []int64 // when dequeues with unknown outcome were called
	firstDrain int64   // when the first drain with unknown outcome was called
	findings   []Finding
}

// Check returns what no order explains. If exact is true, no finding means that an order exists; else it
// means nothing.
//
// It is exact for values that are put in once, if no dequeue has an unknown outcome, or none that matters,
// and, where the queue is ordered, no other call overlaps a drain of several values. Without order and
// without answers that the queue is empty, it is exact for all histories.
func (h *Queue) Check() (findings []Finding, exact bool) {
	c := &queueCheck{h: h, firstDrain: math.MaxInt64}
	for _, d := range h.Unknown {
		c.unknown = append(c.unknown, d.Call)
	}
	slices.Sort(c.unknown)
	for _, d := range h.UnknownDrains {
		c.firstDrain = min(c.firstDrain, d.Call)
	}
	c.match()
	if len(c.findings) > 0 {
		return c.findings, true
	}
	c.followDrains()
	if !h.Ordered && len(c.empty) == 0 {
		return nil, true
	}
	if !c.isUnique {
		return nil, false
	}
	exact = true
	if h.Ordered {
		exact = c.checkOrder()
	}
	if !c.checkEmpty() {
		exact = false
	}
	return c.findings, exact
}

func (c *queueCheck) found(f Finding) {
	if len(c.findings) < maxFindings {
		c.findings = append(c.findings, f)
	}
}

// match gives every value taken to a call that put it in: the n-th return to the n-th call.
func (c *queueCheck) match() {
	in := make([][]Span, c.h.Values)
	for _, e := range c.h.Enqueues {
		in[e.Value] = append(in[e.Value], e.Span)
	}
	out := make([][]item, c.h.Values)
	for _, d := range c.h.Dequeues {
		out[d.Value] = append(out[d.Value], item{value: d.Value, out: d.Span, isTaken: true, drain: -1})
	}
	for k, d := range c.h.Drains {
		for n, v := range d.Values {
			out[v] = append(out[v], item{value: v, out: d.Span, isTaken: true, drain: k, position: n})
		}
	}
	c.isUnique = true
	for v := range c.h.Values {
		c.matchValue(v, in[v], out[v])
	}
}

func (c *queueCheck) matchValue(v int32, in []Span, out []item) {
	slices.SortStableFunc(in, byCall)
	slices.SortStableFunc(out, func(a, b item) int { return cmp.Compare(a.out.Return, b.out.Return) })
	c.isUnique = c.isUnique && len(in) <= 1
	for n := range out {
		switch taken := out[n].out; {
		case len(in) == 0:
			c.found(Finding{Reason: Unwritten, Ops: []int{taken.Op}, Element: v})
		case n >= len(in):
			c.found(Finding{Reason: Twice, Ops: []int{out[n-1].out.Op, taken.Op}, Element: v})
		case taken.Return < in[n].Call:
			c.found(Finding{Reason: Early, Ops: []int{taken.Op, in[n].Op}, Element: v})
		default:
			out[n].in = in[n]
			c.items = append(c.items, out[n])
		}
	}
	for _, e := range in[min(len(in), len(out)):] {
		if !e.isUnknown() { // otherwise it may as well not have happened
			never := Span{Op: -1, Call: math.MaxInt64, Return: math.MaxInt64}
			c.items = append(c.items, item{value: v, in: e, out: never, drain: -1})
		}
	}
}

// followDrains lists the answers that the queue is empty, and raises the calls within drains: a drain took
// a value after all those that it took before, and so after the calls that put these in, and found the
// queue empty after all of them.
func (c *queueCheck) followDrains() {
	c.byDrain = make([][]int, len(c.h.Drains))
	for i := range c.items {
		if drain := c.items[i].drain; drain >= 0 {
			c.byDrain[drain] = append(c.byDrain[drain], i)
		}
	}
	c.empty = slices.Clone(c.h.Empty)
	for k, d := range c.h.Drains {
		slices.SortFunc(c.byDrain[k], func(a, b int) int {
			return cmp.Compare(c.items[a].position, c.items[b].position)
		})
		for _, i := range c.byDrain[k] {
			d.Call = max(d.Call, c.items[i].in.Call)
			c.items[i].out.Call = d.Call
		}
		c.empty = append(c.empty, d.Span)
	}
}

// checkOrder compares the order in which values came with that in which they left, and reports whether
// that is exact.
func (c *queueCheck) checkOrder() bool {
	came := sortedBy(c.items, func(a, b item) int { return cmp.Compare(a.in.Return, b.in.Return) })
	later := sortedBy(c.items, func(a, b item) int { return byCall(a.in, b.in) })
	var last, stayed latest // of the items that came earlier: the last to leave, and the first that stayed
	lastAt, k, stays := 0, 0, 0
	exact := true
	for _, b := range later {
		for ; k < len(came) && came[k].in.Return < b.in.Call; k++ {
			if !came[k].isTaken {
				if stays++; !stayed.any {
					stayed.take(came[k].in, came[k].value, false)
				}
				continue
			}
			if last.take(came[k].out, 0, false); last.Op == came[k].out.Op {
				lastAt = k
			}
		}
		if !b.isTaken {
			continue
		}
		if last.follows(b.out.Return) {
			a := &came[lastAt]
			c.found(Finding{Reason: Overtaken, Element: a.value,
				Ops: []int{a.in.Op, b.in.Op, b.out.Op, a.out.Op}})
		}
		switch {
		case stays == 0:
		case c.canHaveTaken(stays, b.out.Return):
			exact = false
		default:
			c.found(Finding{Reason: Overtaken, Element: stayed.element,
				Ops: []int{stayed.Op, b.in.Op, b.out.Op}})
		}
	}
	return c.checkDrainOrder() && exact
}

// canHaveTaken reports whether calls with unknown outcome that were called by an instant can have taken n
// values.
func (c *queueCheck) canHaveTaken(n int, by int64) bool {
	called := sort.Search(len(c.unknown), func(i int) bool { return c.unknown[i] > by })
	return c.firstDrain <= by || called >= n
}

// checkDrainOrder compares the order within each drain with that in which the values came.
func (c *queueCheck) checkDrainOrder() (exact bool) {
	exact = true
	for k, taken := range c.byDrain {
		var front *item
		for n, i := range taken {
			b := &c.items[i]
			if n > 0 && b.in.Return < front.in.Call {
				c.found(Finding{Reason: Overtaken, Element: b.value,
					Ops: []int{b.in.Op, front.in.Op, b.out.Op}})
			}
			if n == 0 || b.in.Call > front.in.Call {
				front = b
			}
		}
		exact = exact && (len(taken) < 2 || c.isAlone(&c.h.Drains[k]))
	}
	return exact
}

// isAlone reports whether no other call that returned overlaps a drain.
func (c *queueCheck) isAlone(d *Drain) bool {
	overlaps := func(s Span) bool { return s.Op != d.Op && s.Call <= d.Return && d.Call <= s.Return }
	for _, it := range c.items {
		if overlaps(it.in) || it.isTaken && overlaps(it.out) {
			return false
		}
	}
	return !slices.ContainsFunc(c.empty, overlaps)
}

// presence is an open interval in which a value was in the queue for certain.
type presence struct {
	from, to int64
	op       int
}

// checkEmpty looks for an instant at which the queue can have been empty, for every call that found it so,
// and reports whether that is exact.
func (c *queueCheck) checkEmpty() (exact bool) {
	first := c.firstDrain // the first call that may have taken any value
	if len(c.unknown) > 0 {
		first = min(first, c.unknown[0])
	}
	var sure []presence
	var stays []Span
	for _, it := range c.items {
		to := it.out.Call
		if !it.isTaken {
			stays = append(stays, it.in)
			to = first
		}
		if it.in.Return < to {
			sure = append(sure, presence{it.in.Return, to, it.in.Op})
		}
	}
	sure = merge(sure)
	slices.SortStableFunc(stays, func(a, b Span) int { return cmp.Compare(a.Return, b.Return) })
	exact = true
	for _, e := range c.empty {
		at, op := latestOutside(sure, e)
		if at < e.Call {
			c.found(Finding{Reason: NotEmpty, Ops: []int{e.Op, op}})
			continue
		}
		n := countReturnedBefore(stays, e.Call)
		if n > 0 && !c.canHaveTaken(n, e.Return) {
			c.found(Finding{Reason: NotEmpty, Ops: []int{e.Op, stays[n-1].Op}})
		}
		if n = countReturnedBefore(stays, at); n > 0 && !c.canHaveTaken(n, at) {
			exact = false
		}
	}
	return exact
}

// countReturnedBefore counts the spans, sorted by return, that returned before an instant.
func countReturnedBefore(spans []Span, at int64) int {
	return sort.Search(len(spans), func(i int) bool { return spans[i].Return >= at })
}

// merge joins intervals that have an instant in common. The operation is that of the part that ends last.
func merge(list []presence) []presence {
	slices.SortStableFunc(list, func(a, b presence) int { return cmp.Compare(a.from, b.from) })
	joined := list[:0]
	for _, p := range list {
		if n := len(joined); n > 0 && p.from < joined[n-1].to {
			if p.to > joined[n-1].to {
				joined[n-1].to, joined[n-1].op = p.to, p.op
			}
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// latestOutside returns the latest instant up to the return of s that lies in none of the intervals, and
// the operation of the interval that s returned in.
func latestOutside(sure []presence, s Span) (at int64, op int) {
	k := sort.Search(len(sure), func(i int) bool { return sure[i].from >= s.Return }) - 1
	if k < 0 || sure[k].to <= s.Return {
		return s.Return, -1
	}
	return sure[k].from, sure[k].op
}
