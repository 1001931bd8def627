// Package compare finds where two runs begin to differ: among all that their folders hold, in the order of
// time, or, for runs whose times differ from the start, among what each machine, process and client did.
//
// Package compare never decides whether two runs are equal: their digests do.
package compare

import (
	"cmp"
	"slices"
	"time"
)

// Step is something that a run did.
type Step struct {
	At time.Duration
	// Actor is who did it: a process of a machine, a client, the faults.
	Actor string
	Text  string
}

// Difference is the first one between two runs.
type Difference struct {
	// Timed reports that times count. Otherwise the steps are those of one actor.
	Timed bool
	Actor string
	// Same is how many steps are the same before.
	Same int
	// At is the time of the earlier of the two steps that differ.
	At time.Duration
	// Rows are the last steps before it and the first ones from it on.
	Rows []Row
	// MoreA and MoreB are how many steps follow in each run.
	MoreA, MoreB int
}

// Row are the steps of both runs side by side; nil where one has none.
type Row struct {
	A, B *Step
	// Same reports that the two steps are the same, as far as times count.
	Same bool
}

// Limits of what is shown.
const (
	before = 8
	after  = 40
)

// Timed returns the first difference of two runs of which times count; nil if there is none. Steps are in the
// order of time.
func Timed(a, b []Step) *Difference {
	return firstDifference(a, b, true, "")
}

// Untimed returns the first difference in what each actor did, whenever it did it, the earliest one first. It
// is empty if every actor did the same.
func Untimed(a, b []Step) (differences []*Difference) {
	of := map[string]*[2][]Step{}
	for side, steps := range [2][]Step{a, b} {
		for _, s := range steps {
			if of[s.Actor] == nil {
				of[s.Actor] = &[2][]Step{}
			}
			of[s.Actor][side] = append(of[s.Actor][side], s)
		}
	}
	actors := make([]string, 0, len(of))
	for actor := range of {
		actors = append(actors, actor)
	}
	slices.Sort(actors)
	for _, actor := range actors {
		if d := firstDifference(of[actor][0], of[actor][1], false, actor); d != nil {
			differences = append(differences, d)
		}
	}
	slices.SortStableFunc(differences, func(a, b *Difference) int { return cmp.Compare(a.At, b.At) })
	return differences
}

// sameStep reports whether two steps are the same.
func sameStep(a, b *Step, timed bool) bool {
	return a.Actor == b.Actor && a.Text == b.Text && (!timed || a.At == b.At)
}

func firstDifference(a, b []Step, timed bool, actor string) *Difference {
	n := 0
	for n < len(a) && n < len(b) && sameStep(&a[n], &b[n], timed) {
		n++
	}
	d := &Difference{Timed: timed, Actor: actor, Same: n}
	switch {
	case n == len(a) && n == len(b):
		return nil
	case n == len(a):
		d.At = b[n].At
	case n == len(b):
		d.At = a[n].At
	default:
		d.At = min(a[n].At, b[n].At)
	}
	for i := max(0, n-before); i < n; i++ {
		d.Rows = append(d.Rows, Row{&a[i], &b[i], true})
	}
	restA, restB := a[n:], b[n:]
	d.MoreA, d.MoreB = max(0, len(restA)-after), max(0, len(restB)-after)
	d.Rows = append(d.Rows, align(restA[:min(after, len(restA))], restB[:min(after, len(restB))], timed)...)
	return d
}

// align puts steps side by side so that as many as possible are the same: a longest common subsequence. Times
// never count here, because after a difference they hardly ever agree.
func align(a, b []Step, timed bool) (rows []Row) {
	longest := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if sameStep(&a[i], &b[j], false) {
				longest[i][j] = longest[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && sameStep(&a[i], &b[j], false):
			rows = append(rows, Row{&a[i], &b[j], sameStep(&a[i], &b[j], timed)})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			rows = append(rows, Row{A: &a[i]})
			i++
		default:
			rows = append(rows, Row{B: &b[j]})
			j++
		}
	}
	return rows
}

// Sort puts steps in the order of time. Steps at one time keep their order.
func Sort(steps []Step) {
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
}
