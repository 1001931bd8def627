package scenarios

import (
	"io"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Run is what happened, and what was made of it.
type Run struct {
	Scenario *Scenario
	Subject  Subject
	Seed     uint64
	Backend  string // "sim" or "netns"
	// Timescale is by what the scenario's times and the subject's timers were multiplied.
	Timescale timescale.Ratio
	// Digest is a hash over everything that happened in a simulated run: equal digests, equal
	// runs. Empty on real nodes, and where a goroutine of a process or a step without end cut the run short:
	// such a run need not be the same again.
	Digest string

	Events  []history.Event // the clients' history
	Records []Stamped
	Applied []Applied
	// Untriggered are the faults that have waited for their triggers in vain.
	Untriggered []fault.Fault
	Finals      []Final
	Logs        []LogLine
	Probes      map[string]int
	Verdicts    []linearizability.Verdict

	// Picture draws the first violation as an HTML document of its own; nil when there is none to
	// draw.
	Picture func(io.Writer) error
	// Overrides replaced draws of a simulated run: with the seed alone it is another one.
	Overrides []draw.Override
	// Reproduce is the command that makes this run again.
	Reproduce string
	// Duration is the run's time by its own clock, Steps the number of events that processes
	// handled (simulator only).
	Duration time.Duration
	Steps    uint64
}

// Applied is a fault as it was really injected. On real nodes beginning and end each took from
// the first to the second time.
type Applied struct {
	Fault   fault.Fault
	Begun   [2]time.Duration
	Ended   [2]time.Duration
	Problem string // why it could not be applied; makes the run unknown
	// Hits is how many packets, processes or disk calls the fault affected; 0 means that it had no effect.
	// Nil means that the backend does not count them.
	Hits *uint64
}

// WithoutEffect reports whether a fault was injected and affected nothing, such as loss on a link that
// another fault cuts, or a kill on a machine that is off. It returns false where the backend does not
// count.
func (a *Applied) WithoutEffect() bool {
	return a.Problem == "" && a.Ended[1] > 0 && a.Hits != nil && *a.Hits == 0
}

// Final is the answer of one machine to a question asked after quiescence.
type Final struct {
	Machine env.MachineID
	Op      workload.Op
	Output  []byte
	Err     error // the machine did not answer
}

// LogLine is a line that a process logged.
type LogLine struct {
	At      time.Duration `json:"at"`
	Machine string        `json:"machine"`
	Process string        `json:"process"`
	Level   string        `json:"level"`
	Text    string        `json:"text"`
}

// Verdict is the worst of the run's verdicts.
func (r *Run) Verdict() linearizability.Validity { return linearizability.Worst(r.Verdicts) }
