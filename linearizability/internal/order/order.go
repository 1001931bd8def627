// Package order decides whether a history of a set, a counter or a queue has a legal order, without
// searching for one: in time n log n, where a search may need exponential time.
//
// It works on intervals and numbered elements, and knows neither JSON nor the words of a report. Each
// function states for which histories its answer is exact. Times are those of the history; calls that
// touch at one instant are concurrent. It never changes what it is given.
package order

import (
	"cmp"
	"math"
	"slices"
)

// Span is one call: its position in the history and the closed interval in which it took effect, if it
// did. Return is math.MaxInt64 if its outcome is unknown.
type Span struct {
	Op           int
	Call, Return int64
}

func (s Span) isUnknown() bool { return s.Return == math.MaxInt64 }

// Reason is why no order explains a history.
type Reason uint8

const (
	// Unwritten: Ops[0] found an element, or a value, that no call put there.
	Unwritten Reason = iota + 1
	// Early: Ops[0] returned with an element before Ops[1], the first to put it there, was called.
	Early
	// Twice: Ops[0] found an element twice, or Ops[0] and Ops[1] both took what was put there once.
	Twice
	// Apart: Ops[0] and Ops[1] each found an element that the other one lacks.
	Apart
	// Gone: Ops[0] found an element and returned; Ops[1] was called later and lacks it.
	Gone
	// Missing: Ops[0] put an element there and returned; Ops[1] was called later and lacks it.
	Missing
	// Overtaken: Ops[0] put an element there and returned before Ops[1] put its own there, but Ops[2]
	// found the second without the first; or, in a queue, Ops[2] took the second although nothing had
	// taken the first, or Ops[3] took it only later.
	Overtaken
	// Low and High: Ops[0] read a number below or above every one that is possible, from Least to Most.
	Low
	High
	// Between: Ops[0] read a number and returned, Ops[1] was called later and read one that differs by Most
	// adds, although at least Least were called and returned between them, such as the other Ops.
	Between
	// NotEmpty: Ops[0] found a queue empty while, at every instant, it held an element, such as that
	// which Ops[1] put there.
	NotEmpty
)

// Finding is one thing that no order explains, with the positions of the calls that prove it.
type Finding struct {
	Reason  Reason
	Ops     []int
	Element int32 // the element it is about
	// Least and Most bound a number.
	Least, Most int64
}

// maxFindings bounds how many findings one call returns.
const maxFindings = 16

// latest is the call with the highest call time among those placed so far.
type latest struct {
	Span
	element int32
	isRead  bool
	any     bool
}

// take replaces l by s if s was called later.
func (l *latest) take(s Span, element int32, isRead bool) {
	if !l.any || s.Call > l.Call {
		*l = latest{s, element, isRead, true}
	}
}

// follows reports whether the latest call placed so far was made after an instant at which another one
// returned: the other one cannot be placed behind it.
func (l *latest) follows(returned int64) bool { return l.any && returned < l.Call }

func byCall(a, b Span) int { return cmp.Compare(a.Call, b.Call) }

// sortedBy returns a sorted copy.
func sortedBy[T any](list []T, compare func(a, b T) int) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, compare)
	return list
}
