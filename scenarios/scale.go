package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Floors below which a scaled scenario would measure the machine that it runs on instead of the
// subject.
const (
	FloorPhase   = 500 * time.Millisecond // warm-up, duration, quiescence
	FloorFault   = 20 * time.Millisecond  // how long a fault or a phase of a flapping link lasts
	FloorTimeout = 50 * time.Millisecond  // of a client
)

// ErrTimescale means that a timescale leaves too little time.
var ErrTimescale = errors.New("timescale is too small")

// Scaled returns the scenario with all its durations multiplied by a timescale, except those of the
// healthy network and disk: they describe the hardware, which does not become faster. The subject
// scales its own timers.
func (s *Scenario) Scaled(ts timescale.Ratio) (*Scenario, error) {
	if err := ts.Check(); err != nil {
		return nil, fmt.Errorf("scaling scenario %s: %w", s.Name, err)
	}
	sc := scaler{ratio: ts, scaled: *s}
	sc.scaled.Faults = slices.Clone(s.Faults)
	sc.scaleScenario()
	for i := range sc.scaled.Faults {
		sc.scaleFault(fmt.Sprintf("faults[%d]", i), &sc.scaled.Faults[i])
	}
	if sc.err != nil {
		return nil, fmt.Errorf("scaling scenario %s: %w", s.Name, sc.err)
	}
	return &sc.scaled, nil
}

type scaler struct {
	ratio  timescale.Ratio
	scaled Scenario
	err    error
}

// scaleDuration multiplies one duration. Zero stays zero. It fails for a duration that falls below the floor.
func (sc *scaler) scaleDuration(path string, d *time.Duration, floor time.Duration) {
	was := *d
	*d = sc.ratio.Of(was)
	if sc.err == nil && was > 0 && *d < min(was, floor) {
		sc.err = fmt.Errorf("%w: %s of %s times %s is less than %s; write a larger timescale",
			ErrTimescale, path, durationText(was), sc.ratio, durationText(floor))
	}
}

func (sc *scaler) scaleScenario() {
	s := &sc.scaled
	sc.scaleDuration("warmup", &s.Warmup, FloorPhase)
	sc.scaleDuration("duration", &s.Duration, FloorPhase)
	sc.scaleDuration("quiescence", &s.Quiescence, FloorPhase)
	sc.scaleDuration("workload.pause", &s.Workload.Pause, 0)
	sc.scaleDuration("workload.timeout", &s.Workload.Timeout, FloorTimeout)
	s.Workload.Locks = s.Workload.Locks.Scaled(sc.ratio)
	if s.Nemesis != nil {
		n := *s.Nemesis
		s.Nemesis = &n
		sc.scaleDuration("nemesis.every", &n.Every, FloorFault)
		sc.scaleDuration("nemesis.for_min", &n.ForMin, FloorFault)
		sc.scaleDuration("nemesis.for_max", &n.ForMax, FloorFault)
	}
}

func (sc *scaler) scaleFault(path string, f *fault.Fault) {
	sc.scaleDuration(path+".at", &f.At, 0)
	sc.scaleDuration(path+".for", &f.For, FloorFault)
	sc.scaleDuration(path+".latency", &f.Latency, 0)
	sc.scaleDuration(path+".jitter", &f.Jitter, 0)
	sc.scaleDuration(path+".follow", &f.Follow, fault.MinFollow)
	sc.scaleDuration(path+".within", &f.Within, 0)
	sc.scaleDuration(path+".delay", &f.Delay, 0)
	sc.scaleDuration(path+".up", &f.Up, FloorFault)
	sc.scaleDuration(path+".down", &f.Down, FloorFault)
	f.Step = sc.ratio.Of(f.Step)
	if f.BytesPerSecond > 0 { // the subject sends as much in less time
		f.BytesPerSecond = max(f.BytesPerSecond*sc.ratio.Den/sc.ratio.Num, 1)
	}
}
