package likelihood

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// Event is something that happened in a run.
type Event struct {
	At          time.Duration
	Where, What string
}

// Section is what a page shows of a curve beside the curve: texts that are ready to be escaped.
type Section struct {
	Property, Summary string
	// From and To are the time of the steepest rise in microseconds; both 0 if there is none.
	From, To int64
	Points   []Line
	// Events are those in the time of the steepest rise, MoreEvents how many are left out.
	Events     []Line
	MoreEvents int
}

// Line is a line of a table.
type Line struct{ At, Where, What string }

// Limits of what is shown.
const (
	maxEvents     = 60
	maxWhereChars = 24
	maxWhatChars  = 300
)

// SectionOf returns what a page shows of a curve; nil if nothing was measured.
func SectionOf(r *futures.Result, events []Event) *Section {
	if r == nil || len(r.Curve) == 0 {
		return nil
	}
	s := &Section{Property: words.Shorten(words.Clean(r.Property), words.MaxValueChars),
		Summary: "The share rises nowhere: the failure does not depend on what is drawn."}
	if from, to, ok := r.Curve.Knee(); ok {
		s.From, s.To = from.At.Microseconds(), to.At.Microseconds()
		s.Summary = fmt.Sprintf("What happens between %s and %s makes the failure likely: %d\u202f%% of the "+
			"futures fail before, %d\u202f%% after.", words.Instant(from.At), words.Instant(to.At),
			from.Share(), to.Share())
	}
	for _, p := range r.Curve {
		s.Points = append(s.Points, Line{At: words.Instant(p.At), What: Share(p)})
	}
	near, more := around(r, events, maxEvents)
	for _, e := range near {
		s.Events = append(s.Events, Line{At: words.Seconds(e.At, 6) + "\u00a0s",
			Where: words.Shorten(words.Clean(e.Where), maxWhereChars),
			What:  words.Shorten(words.Clean(e.What), maxWhatChars)})
	}
	s.MoreEvents = more
	return s
}

// around returns the events in the time in which the share rises most, in order, at most so many, and how
// many more there are.
func around(r *futures.Result, events []Event, most int) (near []Event, more int) {
	from, to, ok := r.Curve.Knee()
	if !ok {
		return nil, 0
	}
	for _, e := range events {
		if e.At >= from.At && e.At <= to.At {
			near = append(near, e)
		}
	}
	slices.SortStableFunc(near, func(a, b Event) int { return int(a.At - b.At) })
	return near[:min(most, len(near))], max(0, len(near)-most)
}
