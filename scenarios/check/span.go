package check

import (
	"math"
	"slices"
	"time"
)

// Forever is the end of spans that had not ended when the run ended.
const Forever = time.Duration(math.MaxInt64)

// Span is the time from From until before To, since the run began.
type Span struct{ From, To time.Duration }

// Contains reports whether an instant is in the span.
func (s Span) Contains(at time.Duration) bool { return s.From <= at && at < s.To }

// Within reports whether an instant is in any of the spans.
func Within(spans []Span, at time.Duration) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return s.Contains(at) })
}

// Edges returns the instants at which spans begin and end.
func Edges(spans []Span) []time.Duration {
	at := make([]time.Duration, 0, 2*len(spans))
	for _, s := range spans {
		at = append(at, s.From, s.To)
	}
	return at
}
