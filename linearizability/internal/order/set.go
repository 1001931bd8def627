package order

import (
	"cmp"
	"math"
)

// SetAdd puts an element into a set.
type SetAdd struct {
	Span
	Element int32
}

// SetRead returned all elements of a set.
type SetRead struct {
	Span
	Elements []int32
}

// Set is a history of a set that only grows. Elements are numbered from 0; those below Initial are in it
// at the start. Adds that certainly failed are left out.
type Set struct {
	Initial, Elements int32
	Adds              []SetAdd
	Reads             []SetRead
}

// element is what is known about one element.
type element struct {
	first    Span // the add with the earliest call
	returned Span // the acknowledged add with the earliest return
	level    int32
	reader   int32 // the read, as a position in the sorted reads, that saw it first
	seen     int32 // the last read that was looked at and has it
}

// notRead is the level of elements that no read returned.
const notRead = math.MaxInt32

// setCheck places reads in levels: each level is one content of the set. What appears first in a level was
// added in the gap below it.
type setCheck struct {
	h        *Set
	elements []element
	reads    []SetRead
	level    []int32 // of each read
	isNew    [][]int32
	findings []Finding
}

// Check returns what no order explains; none means that an order exists. It is exact.
//
// A set that only grows shows its order: reads with more elements are later. Each element was added between
// the last content without it and the first one with it, so all groups of calls have their place, and
// only real time can contradict it.
func (h *Set) Check() []Finding {
	c := &setCheck{h: h, elements: make([]element, h.Elements)}
	for i := range c.elements {
		none := Span{Op: -1, Call: math.MaxInt64, Return: math.MaxInt64}
		c.elements[i] = element{first: none, returned: none, level: notRead, reader: -1, seen: -1}
		if int32(i) < h.Initial {
			c.elements[i].level = 0
		}
	}
	for _, a := range h.Adds {
		e := &c.elements[a.Element]
		if e.first.Op < 0 || a.Call < e.first.Call {
			e.first = a.Span
		}
		if a.Return < e.returned.Return {
			e.returned = a.Span
		}
	}
	c.reads = sortedBy(h.Reads, func(a, b SetRead) int {
		if n := cmp.Compare(len(a.Elements), len(b.Elements)); n != 0 {
			return n
		}
		return byCall(a.Span, b.Span)
	})
	if c.placeReads(); len(c.findings) == 0 {
		c.compareWithTime()
	}
	return c.findings
}

func (c *setCheck) found(f Finding) {
	if len(c.findings) < maxFindings {
		c.findings = append(c.findings, f)
	}
}

// placeReads gives every read its level, and reports reads that have none.
func (c *setCheck) placeReads() {
	c.level = make([]int32, len(c.reads))
	c.isNew = [][]int32{nil}
	size, last := int(c.h.Initial), -1 // of the content of the level reached, and a read of it
	for i := range c.reads {
		read := &c.reads[i]
		old, ok := c.markSeen(i)
		if !ok {
			continue
		}
		if old < size {
			c.reportLacking(i, last)
			continue
		}
		if len(read.Elements) > size {
			level := int32(len(c.isNew))
			var added []int32
			for _, e := range read.Elements {
				if c.elements[e].level == notRead {
					c.elements[e].level, c.elements[e].reader = level, int32(i)
					added = append(added, e)
				}
			}
			c.isNew = append(c.isNew, added)
			size = len(read.Elements)
		}
		c.level[i], last = int32(len(c.isNew)-1), i
	}
}

// markSeen counts the elements of a read that lower levels have. It reports elements that are there twice
// or that nothing had added.
func (c *setCheck) markSeen(i int) (old int, ok bool) {
	read := &c.reads[i]
	for _, at := range read.Elements {
		e := &c.elements[at]
		switch {
		case e.seen == int32(i):
			c.found(Finding{Reason: Twice, Ops: []int{read.Op}, Element: at})
			return 0, false
		case at >= c.h.Initial && e.first.Op < 0:
			c.found(Finding{Reason: Unwritten, Ops: []int{read.Op}, Element: at})
			return 0, false
		case at >= c.h.Initial && read.Return < e.first.Call:
			c.found(Finding{Reason: Early, Ops: []int{read.Op, e.first.Op}, Element: at})
			return 0, false
		}
		e.seen = int32(i)
		if e.level != notRead {
			old++
		}
	}
	return old, true
}

// reportLacking reports an element that a read of the level reached has and read i lacks.
func (c *setCheck) reportLacking(i, last int) {
	read := &c.reads[i]
	if last < 0 {
		for e := range c.h.Initial {
			if c.elements[e].seen != int32(i) {
				c.found(Finding{Reason: Missing, Ops: []int{read.Op}, Element: e})
				break
			}
		}
		return
	}
	other := &c.reads[last]
	for _, e := range other.Elements {
		if c.elements[e].seen == int32(i) {
			continue
		}
		f := Finding{Reason: Apart, Ops: []int{other.Op, read.Op}, Element: e}
		if other.Return < read.Call {
			f.Reason = Gone
		}
		c.found(f)
		return
	}
}

// compareWithTime walks along the levels and reports calls that returned before one was called that
// has its place in front of them.
func (c *setCheck) compareWithTime() {
	var placed latest
	next := 0
	for level, added := range c.isNew {
		gap := placed
		for _, at := range added {
			e := &c.elements[at]
			if placed.follows(e.returned.Return) {
				c.misplacedAdd(placed, at)
			}
			gap.take(e.first, at, false)
		}
		placed = gap
		for ; next < len(c.reads) && c.level[next] == int32(level); next++ {
			read := &c.reads[next]
			if placed.follows(read.Return) {
				c.misplacedRead(placed, read)
			}
			gap.take(read.Span, 0, true)
		}
		placed = gap
	}
	for at := range c.elements {
		if e := &c.elements[at]; e.level == notRead && placed.follows(e.returned.Return) {
			c.misplacedAdd(placed, int32(at))
		}
	}
}

// misplacedAdd reports an acknowledged add of an element that x, called later, excludes.
func (c *setCheck) misplacedAdd(x latest, at int32) {
	add := c.elements[at].returned
	if x.isRead {
		c.found(Finding{Reason: Missing, Ops: []int{add.Op, x.Op}, Element: at})
		return
	}
	reader := &c.reads[c.elements[x.element].reader]
	c.found(Finding{Reason: Overtaken, Ops: []int{add.Op, x.Op, reader.Op}, Element: at})
}

// misplacedRead reports a read that returned before x was called, although x has its place in front of it.
func (c *setCheck) misplacedRead(x latest, read *SetRead) {
	if !x.isRead {
		c.found(Finding{Reason: Early, Ops: []int{read.Op, x.Op}, Element: x.element})
		return
	}
	f := Finding{Reason: Gone, Ops: []int{read.Op, x.Op}}
	has := make(map[int32]bool)
	for i := range c.reads {
		if c.reads[i].Op == x.Op {
			for _, e := range c.reads[i].Elements {
				has[e] = true
			}
		}
	}
	for _, e := range read.Elements {
		if !has[e] {
			f.Element = e
			break
		}
	}
	c.found(f)
}
