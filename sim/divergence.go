package sim

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/kernel"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// Divergence is the first difference between two runs of one seed. It means that the subject depends
// on something that does not derive from the seed, such as the order of a map.
type Divergence struct {
	// Event is the number of the first event that differs.
	Event uint64
	// First and Second describe it in both runs.
	First, Second string
	// Before are the last events that were the same.
	Before []string
}

// String is one paragraph for a person.
func (d *Divergence) String() string {
	text := fmt.Sprintf("the two runs part at event %d:\n  first:  %s\n  second: %s",
		d.Event, d.First, d.Second)
	for i, line := range d.Before {
		if i == 0 {
			text += "\nbefore that, in both:"
		}
		text += "\n  " + line
	}
	return text
}

// sharedEventLines is how many events before the first difference are shown.
const sharedEventLines = 5

// Diverge returns where two runs of one seed differ; see the function Diverge.
func (Runner) Diverge(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (string, error) {
	d, err := Diverge(ctx, s, subject, o)
	switch {
	case err != nil:
		return "", err
	case d == nil:
		return fmt.Sprintf("%d more pairs of runs were the same: what differs comes seldom",
			divergeAttempts), nil
	}
	return d.String(), nil
}

const (
	// divergeAttempts is how many pairs of runs are made to find a difference: one that hangs on the order
	// of a map shows in some pairs only.
	divergeAttempts = 8
	// firstWindow is how many events of the first pair are kept. A longer run is looked at again, in the
	// window that the marks of its digests give.
	firstWindow = 1 << 20
)

// Diverge runs a scenario in pairs until two runs of one seed differ and can be compared event by event, and
// returns where they differ; nil when none of the pairs does.
func Diverge(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*Divergence, error) {
	start, end := uint64(0), uint64(firstWindow)
	for range divergeAttempts {
		runs, err := runTwice(ctx, s, subject, o, start, end)
		if err != nil || runs[0].cutShort || runs[1].cutShort {
			return nil, err
		}
		if runs[0].result.Digest == runs[1].result.Digest {
			continue
		}
		if d := compareRuns(start, runs); d != nil {
			return d, nil
		}
		one, two := runs[0].world.Kernel.Digest.Marks(), runs[1].world.Kernel.Digest.Marks()
		from := uint64(0)
		for i := 0; i < len(one) && i < len(two) && one[i] == two[i]; i++ {
			from += kernel.MarkEvery
		}
		// What differs from run to run may differ again: the window begins a little earlier.
		start, end = from-min(from, kernel.MarkEvery), from+2*kernel.MarkEvery
	}
	return nil, nil
}

func runTwice(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject, o scenarios.RunOptions,
	from, to uint64) (runs [2]*run, err error) {
	for i := range runs {
		runs[i], err = simulate(ctx, s, subject, o, func(w *world.World) { w.Kernel.Digest.Keep(from, to) })
		if err != nil {
			return runs, err
		}
	}
	return runs, nil
}

// compareRuns returns the first difference among the events that were kept; nil when there is none.
func compareRuns(start uint64, runs [2]*run) *Divergence {
	kept := [2][]kernel.Note{runs[0].world.Kernel.Digest.Kept(), runs[1].world.Kernel.Digest.Kept()}
	describe := func(of, i int) string {
		if i >= len(kept[of]) {
			return "nothing: the run has ended"
		}
		return runs[of].world.Describe(kept[of][i])
	}
	at := 0
	for at < len(kept[0]) && at < len(kept[1]) && kept[0][at] == kept[1][at] {
		at++
	}
	if at == len(kept[0]) && at == len(kept[1]) {
		return nil
	}
	d := &Divergence{Event: start + uint64(at), First: describe(0, at), Second: describe(1, at)}
	for i := max(0, at-sharedEventLines); i < at; i++ {
		d.Before = append(d.Before, describe(0, i))
	}
	return d
}
