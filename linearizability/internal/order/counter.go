package order

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"sort"
)

// CounterAdd changes a counter by Amount, which may be negative.
type CounterAdd struct {
	Span
	Amount int64
}

// CounterRead returned the value of a counter.
type CounterRead struct {
	Span
	Value int64
}

// Counter is a history of a counter that starts with Initial. Adds that certainly failed and those of 0 are
// left out. The sum of all amounts must fit into 62 bits, and so must Initial.
type Counter struct {
	Initial int64
	Adds    []CounterAdd
	Reads   []CounterRead
}

// Check returns what no order explains. If exact is true, no finding means that an order exists; else it
// means nothing, because finding an order is a subset sum.
//
// It is exact where all adds have one amount. Then they cannot be told apart, reads show their order by their
// values, and each gap between two values takes a known number of adds.
func (h *Counter) Check() (findings []Finding, exact bool) {
	if findings = h.Bounds(); len(findings) > 0 {
		return findings, true
	}
	for i := range h.Adds {
		if h.Adds[i].Amount != h.Adds[0].Amount {
			return nil, len(h.Reads) == 0
		}
	}
	return h.fillGaps(), true
}

// Bounds compares every read with the least and the most that adds can have come to: what had returned
// before the read was called counts for certain, and what was called after the read had returned does
// not count. It is sound for all histories.
func (h *Counter) Bounds() []Finding {
	called := sortedBy(h.Adds, func(a, b CounterAdd) int { return byCall(a.Span, b.Span) })
	returned := sortedBy(h.Adds, func(a, b CounterAdd) int { return cmp.Compare(a.Return, b.Return) })
	reads := make([]int, len(h.Reads))
	for i := range reads {
		reads[i] = i
	}
	least, most := make([]int64, len(reads)), make([]int64, len(reads))
	slices.SortFunc(reads, func(a, b int) int { return cmp.Compare(h.Reads[a].Call, h.Reads[b].Call) })
	var up, down int64 // of the adds that certainly count
	k := 0
	for _, i := range reads {
		for ; k < len(returned) && returned[k].Return < h.Reads[i].Call; k++ {
			up, down = up+max(0, returned[k].Amount), down+min(0, returned[k].Amount)
		}
		least[i], most[i] = h.Initial+up, h.Initial+down
	}
	slices.SortFunc(reads, func(a, b int) int { return cmp.Compare(h.Reads[a].Return, h.Reads[b].Return) })
	up, down, k = 0, 0, 0
	var findings []Finding
	for _, i := range reads {
		for ; k < len(called) && called[k].Call <= h.Reads[i].Return; k++ {
			up, down = up+max(0, called[k].Amount), down+min(0, called[k].Amount)
		}
		f := Finding{Ops: []int{h.Reads[i].Op}, Least: least[i] + down, Most: most[i] + up}
		switch value := h.Reads[i].Value; {
		case len(findings) == maxFindings:
			return findings
		case value < f.Least:
			f.Reason = Low
			findings = append(findings, f)
		case value > f.Most:
			f.Reason = High
			findings = append(findings, f)
		}
	}
	return findings
}

// counterLevel is one value that reads returned.
type counterLevel struct {
	count    int // adds that took effect before
	reads    []Span
	lateCall Span // the read with the latest call, of this level and those below
	early    Span // the read with the earliest return, of this level and those above
}

// maxEvidence bounds the calls of one finding.
const maxEvidence = 6

// gapAdd is an add with the gaps in which it may be placed: gap j is the one below level j, and the last
// gap is above all levels.
type gapAdd struct {
	Span
	low, high int
}

// fillGaps places adds that all have one amount into the gaps between the values read.
func (h *Counter) fillGaps() []Finding {
	levels, finding := h.levels()
	if finding != nil {
		return []Finding{*finding}
	}
	adds := make([]gapAdd, len(h.Adds))
	for i, a := range h.Adds {
		adds[i] = gapAdd{Span: a.Span,
			low:  sort.Search(len(levels), func(l int) bool { return a.Call <= levels[l].early.Return }),
			high: sort.Search(len(levels), func(l int) bool { return a.Return < levels[l].lateCall.Call }),
		}
		if a.isUnknown() {
			adds[i].high = math.MaxInt
		}
		if l := adds[i].high; l < adds[i].low { // it stands between two reads of one value
			return []Finding{{Reason: Between, Least: 1,
				Ops: []int{levels[l].early.Op, levels[l].lateCall.Op, a.Op}}}
		}
	}
	slices.SortStableFunc(adds, func(a, b gapAdd) int { return cmp.Compare(a.low, b.low) })
	var open deadlines
	next, placed := 0, 0
	for j := 0; j <= len(levels); j++ {
		for ; next < len(adds) && adds[next].low <= j; next++ {
			heap.Push(&open, adds[next])
		}
		for ; len(open) > 0 && (open[0].high <= j || j < len(levels) && placed < levels[j].count); placed++ {
			heap.Pop(&open)
		}
		if j < len(levels) && placed > levels[j].count {
			return []Finding{tooMany(levels, adds, j)}
		}
	}
	return nil
}

// levels groups the reads by value, in the order that the sign of the amount gives. A finding reports a
// value that no number of adds gives, or two reads in the wrong order.
func (h *Counter) levels() ([]counterLevel, *Finding) {
	amount := int64(1)
	if len(h.Adds) > 0 {
		amount = h.Adds[0].Amount
	}
	var levels []counterLevel
	reads := sortedBy(h.Reads, func(a, b CounterRead) int {
		if a.Value != b.Value {
			return cmp.Compare(a.Value, b.Value) * cmp.Compare(amount, 0)
		}
		return byCall(a.Span, b.Span)
	})
	for _, r := range reads {
		distance := r.Value - h.Initial
		if distance%amount != 0 {
			return nil, &Finding{Reason: Unwritten, Ops: []int{r.Op}}
		}
		if n := len(levels); n == 0 || levels[n-1].count != int(distance/amount) {
			levels = append(levels, counterLevel{count: int(distance / amount)})
		}
		l := &levels[len(levels)-1]
		l.reads = append(l.reads, r.Span)
	}
	var placed latest
	for j := range levels {
		above := placed
		for _, r := range levels[j].reads {
			if placed.follows(r.Return) {
				return nil, &Finding{Reason: Gone, Ops: []int{r.Op, placed.Op}}
			}
			above.take(r, 0, true)
		}
		placed = above
		levels[j].lateCall = placed.Span
	}
	early := Span{Return: math.MaxInt64}
	for j := len(levels) - 1; j >= 0; j-- {
		for _, r := range levels[j].reads {
			if r.Return < early.Return {
				early = r
			}
		}
		levels[j].early = early
	}
	return levels, nil
}

// tooMany explains that more adds have to stand below level j than its value counts: there is a level i from
// which on too many were called and returned.
func tooMany(levels []counterLevel, adds []gapAdd, j int) Finding {
	byLow := make([]int, j+1)
	for i := range adds {
		if adds[i].high <= j {
			byLow[adds[i].low]++
		}
	}
	i, inside := j, 0
	for ; i >= 0; i-- {
		inside += byLow[i]
		if i == 0 || inside > levels[j].count-levels[i-1].count {
			break
		}
	}
	f := Finding{Reason: Between, Ops: []int{levels[j].lateCall.Op}, Least: int64(inside)}
	if i > 0 {
		f.Ops = []int{levels[i-1].early.Op, levels[j].lateCall.Op}
		f.Most = int64(levels[j].count - levels[i-1].count)
	}
	for k := range adds {
		if adds[k].low >= i && adds[k].high <= j && len(f.Ops) < maxEvidence {
			f.Ops = append(f.Ops, adds[k].Op)
		}
	}
	return f
}

// deadlines is a heap of adds, those that must be placed first on top.
type deadlines []gapAdd

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].high < d[j].high }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *deadlines) Push(x any) { *d = append(*d, x.(gapAdd)) }

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	*d = (*d)[:last]
	return x
}
