// Package futures finds out when a violation became inevitable: it draws the future of a failing run anew
// from several times on, and counts how many of these futures fail. The reason is where the share rises most.
//
// Package futures never runs a scenario itself: the caller does.
package futures

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Point is a time from which the future was drawn anew.
type Point struct {
	// At is the time since the run began.
	At time.Duration `json:"at"`
	// Failed is how many of Runs futures had the violation.
	Failed int `json:"failed"`
	Runs   int `json:"runs"`
}

// Share returns the part of the futures that failed, in percent.
func (p Point) Share() int { return 100 * p.Failed / max(p.Runs, 1) }

// Curve are the points of a run in the order of their times.
type Curve []Point

// Knee returns the two neighbouring points between which the share rises most. ok is false if it rises
// nowhere.
func (c Curve) Knee() (from, to Point, ok bool) {
	best := 0
	for i := 1; i < len(c); i++ {
		if rise := c[i].Share() - c[i-1].Share(); rise > best {
			best, from, to, ok = rise, c[i-1], c[i], true
		}
	}
	return from, to, ok
}

// Options say how much is run. The zero value is ready to use.
type Options struct {
	// Futures is how many futures are drawn from each time; default 8.
	Futures int
	// Points is how many times are looked at first, spread evenly; default 8.
	Points int
	// Resolution is how close the two points of the knee get; default 500 ms.
	Resolution time.Duration
	// Parallel is how many futures are run at a time; default 1.
	Parallel int
	// Progress, if set, is called with each new point.
	Progress func(Point)
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.Futures, 8}, {&o.Points, 8}, {&o.Parallel, 1}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.Resolution <= 0 {
		o.Resolution = 500 * time.Millisecond
	}
}

// Try runs a scenario whose future is drawn from a seed from a time on, and reports whether it has the
// violation. It may be called by several goroutines.
type Try func(ctx context.Context, at time.Duration, seed uint64) (fails bool, err error)

// Measure looks at times until the end of the run, and then closer and closer around the knee, until its
// points are as close as the resolution or the context ends. It returns what it has found by then.
func Measure(ctx context.Context, end time.Duration, try Try, o Options) (Curve, error) {
	o.setDefaults()
	m := measurement{try: try, options: &o}
	for i := range o.Points + 1 {
		at := end / time.Duration(o.Points) * time.Duration(i)
		if err := m.measureAt(ctx, at); err != nil {
			return m.curve, err
		}
	}
	for ctx.Err() == nil {
		from, to, ok := m.curve.Knee()
		if !ok || to.At-from.At <= o.Resolution {
			break
		}
		if err := m.measureAt(ctx, from.At+(to.At-from.At)/2); err != nil {
			return m.curve, err
		}
	}
	return m.curve, nil
}

// measurement is what is known so far.
type measurement struct {
	try     Try
	options *Options
	curve   Curve
}

// measureAt draws the futures of one time.
func (m *measurement) measureAt(ctx context.Context, at time.Duration) error {
	var mu sync.Mutex
	var group sync.WaitGroup
	point, turn := Point{At: at}, make(chan struct{}, m.options.Parallel)
	var failed error
	for seed := range uint64(m.options.Futures) {
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			if ctx.Err() != nil {
				return
			}
			fails, err := m.try(ctx, at, seed)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ctx.Err() != nil:
			case err != nil:
				failed = fmt.Errorf("drawing the future from %v on with seed %d: %w", at, seed, err)
			default:
				point.Runs++
				if fails {
					point.Failed++
				}
			}
		})
	}
	group.Wait()
	if point.Runs == 0 || failed != nil {
		return failed
	}
	index, _ := slices.BinarySearchFunc(m.curve, point, func(a, b Point) int { return int(a.At - b.At) })
	m.curve = slices.Insert(m.curve, index, point)
	if m.options.Progress != nil {
		m.options.Progress(point)
	}
	return nil
}
