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
	sc := scaler{ts: ts, to: *s}
	sc.to.Faults = slices.Clone(s.Faults)
	sc.scenario()
	for i := range sc.to.Faults {
		sc.fault(fmt.Sprintf("faults[%d]", i), &sc.to.Faults[i])
	}
	if sc.err != nil {
		return nil, fmt.Errorf("scaling scenario %s: %w", s.Name, sc.err)
	}
	return &sc.to, nil
}

type scaler struct {
	ts  timescale.Ratio
	to  Scenario
	err error
}

// scale multiplies one duration. Zero stays zero. It fails for a duration that falls below the floor.
func (sc *scaler) scale(path string, d *time.Duration, floor time.Duration) {
	was := *d
	*d = sc.ts.Of(was)
	if sc.err == nil && was > 0 && *d < min(was, floor) {
		sc.err = fmt.Errorf("%w: %s of %s times %s is less than %s; write a larger timescale",
			ErrTimescale, path, span(was), sc.ts, span(floor))
	}
}

func (sc *scaler) scenario() {
	s := &sc.to
	sc.scale("warmup", &s.Warmup, FloorPhase)
	sc.scale("duration", &s.Duration, FloorPhase)
	sc.scale("quiescence", &s.Quiescence, FloorPhase)
	sc.scale("workload.pause", &s.Workload.Pause, 0)
	sc.scale("workload.timeout", &s.Workload.Timeout, FloorTimeout)
	if s.Nemesis != nil {
		n := *s.Nemesis
		s.Nemesis = &n
		sc.scale("nemesis.every", &n.Every, FloorFault)
		sc.scale("nemesis.for_min", &n.ForMin, FloorFault)
		sc.scale("nemesis.for_max", &n.ForMax, FloorFault)
	}
}

func (sc *scaler) fault(path string, f *fault.Fault) {
	sc.scale(path+".at", &f.At, 0)
	sc.scale(path+".for", &f.For, FloorFault)
	sc.scale(path+".latency", &f.Latency, 0)
	sc.scale(path+".jitter", &f.Jitter, 0)
	sc.scale(path+".up", &f.Up, FloorFault)
	sc.scale(path+".down", &f.Down, FloorFault)
	f.Step = sc.ts.Of(f.Step)
}
