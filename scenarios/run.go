package scenarios

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
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
	Timescale Timescale
	// Digest is a hash over everything that happened in a simulated run: equal digests, equal
	// runs. Empty on real nodes.
	Digest string

	Events   []history.Event // the clients' history
	Records  []Stamped
	Applied  []Applied
	Finals   []Final
	Logs     []LogLine
	Probes   map[string]int
	Verdicts []linearizability.Verdict

	// Picture draws the first violation as an HTML document of its own; nil when there is none to
	// draw.
	Picture func(io.Writer) error
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

// Timescale stretches or shrinks every duration of a scenario and every timer of the subject,
// as a ratio. The zero value is 1.
type Timescale struct{ Num, Den int64 }

// ParseTimescale reads a ratio such as "1", "0.2", "1/5" or "2".
func ParseTimescale(text string) (Timescale, error) {
	bad := fmt.Errorf("timescale %q: write a positive number such as 0.2, 1/5 or 2", text)
	num, den, isRatio := strings.Cut(text, "/")
	if !isRatio {
		whole, fraction, _ := strings.Cut(text, ".")
		num, den = whole+fraction, "1"+strings.Repeat("0", len(fraction))
	}
	n, err1 := strconv.ParseInt(num, 10, 32)
	d, err2 := strconv.ParseInt(den, 10, 32)
	if err1 != nil || err2 != nil || n <= 0 || d <= 0 {
		return Timescale{}, bad
	}
	return Timescale{Num: n, Den: d}, nil
}

// Of scales a duration.
func (t Timescale) Of(d time.Duration) time.Duration {
	if t.Num == 0 {
		return d
	}
	return time.Duration(int64(d)/t.Den*t.Num) + time.Duration(int64(d)%t.Den*t.Num/t.Den)
}

// String writes the ratio.
func (t Timescale) String() string {
	switch {
	case t.Num == t.Den:
		return "1"
	case t.Den == 1:
		return strconv.FormatInt(t.Num, 10)
	}
	return fmt.Sprintf("%d/%d", t.Num, t.Den)
}

// Override replaces the value of one draw of a simulated run.
type Override struct {
	Stream string `json:"stream" yaml:"stream"`
	Label  string `json:"label" yaml:"label"`
	// Index is the draw's place in the list of its stream and label, from 0.
	Index uint64 `json:"index" yaml:"index"`
	Value uint64 `json:"value" yaml:"value"`
}
