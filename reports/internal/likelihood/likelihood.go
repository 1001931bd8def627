// Package likelihood shows when the failure of a run became inevitable: the share of futures that fail as a
// row of a timeline, and what happened where the share rises most.
//
// Package likelihood never draws a future: it reads what was measured.
package likelihood

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/reports/svg"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// maxPoints is how many points a curve may have.
const maxPoints = 10_000

// ErrCurve means that a file is no curve that could have been measured.
var ErrCurve = errors.New("not a curve of futures that fail")

// Decode reads the result of a measurement, as [futures.Result] writes it.
func Decode(data []byte) (*futures.Result, error) {
	var r futures.Result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if len(r.Curve) > maxPoints {
		return nil, fmt.Errorf("%w: it has %d points, at most %d are read", ErrCurve, len(r.Curve), maxPoints)
	}
	for i, p := range r.Curve {
		switch {
		case p.Runs <= 0 || p.Failed < 0 || p.Failed > p.Runs || p.Runs > 1<<30:
			return nil, fmt.Errorf("%w: point %d has %d of %d futures", ErrCurve, i+1, p.Failed, p.Runs)
		case p.At < 0 || i > 0 && p.At <= r.Curve[i-1].At:
			return nil, fmt.Errorf("%w: point %d at %v is not later than the one before", ErrCurve, i+1, p.At)
		}
	}
	return &r, nil
}

// rowHeight is that of the curve in pixels.
const rowHeight = 64

// Row draws a curve: a step at each point, with the time of the steepest rise behind it.
func Row(r *futures.Result, end time.Duration) svg.Row {
	row := svg.Row{Label: "fail", Height: rowHeight,
		Tip: "how many of the futures that are drawn anew from a time on fail",
		Ticks: []svg.Tick{{Level: 0, Label: "0 %"}, {Level: svg.Full / 2, Label: "50 %"},
			{Level: svg.Full, Label: "100 %"}}}
	if from, to, ok := r.Curve.Knee(); ok {
		row.Items = append(row.Items, svg.Item{From: from.At, To: to.At, Class: svg.Warn,
			Tip: "the share rises most\n" + words.Instant(from.At) + " to " + words.Instant(to.At)})
	}
	for i, p := range r.Curve {
		next := end
		if i+1 < len(r.Curve) {
			next = r.Curve[i+1].At
		}
		tip := "from " + words.Instant(p.At) + " on " + Share(p)
		if p.Failed > 0 {
			row.Items = append(row.Items, svg.Item{From: p.At, To: max(next, p.At), Class: svg.Bad, Low: 0,
				High: p.Share() * svg.Full / 100, Tip: tip})
		}
		row.Items = append(row.Items, svg.Item{From: p.At, Shape: svg.Point, Low: p.Share() * svg.Full / 100,
			Class: svg.Fault, Tip: tip})
	}
	return row
}

// Share is a point in words.
func Share(p futures.Point) string {
	return fmt.Sprintf("%d of %d futures fail (%d %%)", p.Failed, p.Runs, p.Share())
}
