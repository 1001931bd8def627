package scenarios

import (
	"context"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// Runner runs scenarios in a backend: the simulator or real nodes.
type Runner interface {
	// Run runs a scenario once and judges it. An error means that there was no run; what went
	// wrong within one is in its verdicts. A cancelled context ends the run early, and the
	// verdict is then unknown.
	Run(ctx context.Context, s *Scenario, subject Subject, o RunOptions) (*Run, error)
}

// RunOptions are what may differ between two runs of one scenario.
type RunOptions struct {
	// Seed decides every draw.
	Seed uint64
	// Timescale multiplies the durations of the scenario (see [Scenario.Scaled]) and the timers
	// of the subject.
	Timescale timescale.Ratio
	// Progress, when set, is called from time to time with how far the run is, one call at a time.
	Progress func(Progress)
	// KeepLogs asks for Run.Logs, Debug for debug lines too.
	KeepLogs, Debug bool
	// Records, when set, gets every record of a simulated run as it comes, and Run.Records has only
	// those that the timeline needs (see [TimelineFilter]): a day of a cluster has millions.
	Records func(Stamped)
	// Alone asks for a verdict on the probes that the scenario expects. Without it the caller makes several
	// runs, and judges whether one of them reached each probe.
	Alone bool
	// StepTimeout is how much real time a step of a simulated process may take before the run ends with a
	// violation; 0 is the runner's default, negative is without limit.
	StepTimeout time.Duration
	// Overrides replace draws of a simulated run; ZeroDraws makes every other draw the tamest.
	Overrides []draw.Override
	ZeroDraws bool
	// Branches give a simulated run other futures, in the order of their times. Faults of a nemesis that
	// begin later than a branch are drawn anew.
	Branches []draw.Branch
}

// Progress is how far a run is.
type Progress struct {
	Phase string        // for example "warm-up", "faults", "quiescence", "checking"
	At    time.Duration // the run's own time
	End   time.Duration // when the run will end by that time
}
