package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Backend is the name of real nodes in runs and on command lines.
const Backend = "netns"

// Checker is the name of the verdict on the nodes themselves: whether they did what the scenario
// asked for.
const Checker = "nodes"

// Runner runs scenarios on real nodes. The zero value is ready.
type Runner struct {
	// StateDir is the directory of runs under way; HOLDFAST_STATE_DIR or /run/holdfast unless given.
	// Keep it short: the paths of unix sockets are limited.
	StateDir string
	// MaxWall refuses scenarios that would take longer; DefaultMaxWall unless given.
	MaxWall time.Duration
	// KeepDirs is where the machines' directories are moved at the end, for looking into them;
	// "" removes them.
	KeepDirs string
}

var _ scenarios.Runner = Runner{}

// DefaultMaxWall is how long a run may take unless a Runner sets another limit.
const DefaultMaxWall = 60 * time.Second

// PoweredMaxWall replaces DefaultMaxWall for machines with a watchdog: a watchdog and the timeouts
// derived from it last minutes, and a small timescale would let them depend on this machine's load.
const PoweredMaxWall = 2 * time.Minute

func hasPowerSwitch(d scenarios.Driver) bool {
	p, ok := d.(PowerDriver)
	if !ok {
		return false
	}
	_, on := p.PowerSwitch()
	return on
}

var (
	// ErrNotDriven means that a subject has no driver for real nodes.
	ErrNotDriven = errors.New("subject does not run on real nodes")
	// ErrTooLong means that a scenario would take longer than a run may.
	ErrTooLong = errors.New("run would take too long")
	// ErrNeeds means that this machine or this user cannot have nodes.
	ErrNeeds = errors.New("real nodes are not possible here")
)

// maxOverheadTime is the part of a run's wall time that is neither warm-up nor faults nor quiescence.
const maxOverheadTime = 12 * time.Second

// Run implements scenarios.Runner. The scenario of the returned run is the scaled scenario with the
// faults that its nemesis drew.
//
// Without a timescale the scenario runs as written if it then ends within MaxWall, else with the
// largest timescale with which it does.
func (r Runner) Run(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
	o scenarios.RunOptions) (*scenarios.Run, error) {
	choices := draw.Derive(o.Seed)
	s, subject, err := scenarios.Vary(s, subject, choices)
	if err != nil {
		return nil, err
	}
	driver := subject.Driver()
	if driver == nil {
		return nil, fmt.Errorf("running %s: %w: use --on sim", subject.Kind(), ErrNotDriven)
	}
	resolved := s.Resolved(subject.Judge(), choices)
	if r.MaxWall == 0 && hasPowerSwitch(driver) {
		r.MaxWall = PoweredMaxWall
	}
	if o.Timescale, err = r.timescale(resolved, o.Timescale); err != nil {
		return nil, err
	}
	if resolved, err = resolved.Scaled(o.Timescale); err != nil {
		return nil, err
	}
	out := &scenarios.Run{Scenario: resolved, Subject: subject, Seed: o.Seed, Backend: Backend,
		Timescale: o.Timescale}
	if refused := unsupportedFaults(resolved, driver); refused != nil {
		out.Applied = refused
		out.Verdicts = []linearizability.Verdict{unsupportedVerdict(refused)}
		return out, nil
	}
	if d, may := driver.(RefusingDriver); may {
		if why := d.Refuses(); len(why) > 0 {
			out.Verdicts = []linearizability.Verdict{{Checker: Checker,
				Validity: linearizability.Unknown, Details: why,
				Summary: "nothing was run: the subject's part of the scenario asks for " +
					"what real nodes cannot do"}}
			return out, nil
		}
	}
	return r.run(ctx, out, driver, o)
}

// timescale returns the timescale of a run: the requested one if the run is then short enough, else
// the largest that is. The error is ErrTooLong.
func (r Runner) timescale(s *scenarios.Scenario, asked timescale.Ratio) (timescale.Ratio, error) {
	limit := r.MaxWall
	if limit == 0 {
		limit = DefaultMaxWall
	}
	const steps = 20 // timescales that the user did not choose are written in twentieths
	room := limit - maxOverheadTime
	if asked != (timescale.Ratio{}) {
		if takes := asked.Of(s.End()); takes > room {
			return asked, fmt.Errorf("%w: %s takes %v at timescale %v and may take %v; use --timescale %s",
				ErrTooLong, s.Name, takes.Round(time.Second), asked, room, timescaleInTwentieths(s.End(),
					room, steps))
		}
		return asked, nil
	}
	if s.End() <= room {
		return timescale.Ratio{Num: 1, Den: 1}, nil
	}
	ts := timescaleInTwentieths(s.End(), room, steps)
	if ts.Of(s.End()) > room {
		return ts, fmt.Errorf(
			"%w: %s lasts %v, more than %d times what a run may take, %v; write a shorter one",
			ErrTooLong, s.Name, s.End(), steps, room)
	}
	return ts, nil
}

// timescaleInTwentieths returns the largest multiple of 1/steps that scales takes to at most room.
func timescaleInTwentieths(takes, room time.Duration, steps int64) timescale.Ratio {
	n := max(int64(room)*steps/int64(takes), 1)
	for d := int64(2); d <= steps; d++ {
		for n%d == 0 && steps%d == 0 {
			n, steps = n/d, steps/d
		}
	}
	return timescale.Ratio{Num: n, Den: steps}
}

// unsupportedFaults lists the faults that cannot be injected; nil when all can be.
func unsupportedFaults(s *scenarios.Scenario, d scenarios.Driver) []scenarios.Applied {
	var out []scenarios.Applied
	for i := range s.Faults {
		if why := Unsupported(&s.Faults[i], d); why != "" {
			out = append(out, scenarios.Applied{Fault: s.Faults[i], Problem: why})
		}
	}
	return out
}

func unsupportedVerdict(refused []scenarios.Applied) linearizability.Verdict {
	v := linearizability.Verdict{Checker: Checker, Validity: linearizability.Unknown,
		Summary: fmt.Sprintf("nothing was run: %d faults of the scenario cannot be injected on real nodes",
			len(refused))}
	seen := map[string]bool{}
	for _, a := range refused {
		if !seen[a.Problem] {
			seen[a.Problem] = true
			v.Details = append(v.Details, a.Problem)
		}
	}
	return v
}
