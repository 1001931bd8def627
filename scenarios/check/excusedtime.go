package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Excuse is a reason for which the checks accept trouble of a machine that faults did not stop or separate:
// the judge cannot derive what the machine must do then.
type Excuse string

// The excuses.
const (
	// ExcuseUnclear means that reachability does not divide the machines into groups, or that a link of one
	// loses more packets than a ring tolerates. It excuses every present machine.
	ExcuseUnclear Excuse = "network not transitive or lossy"
	// ExcuseLate means that a machine's link is so slow that it may be too late to become a member.
	ExcuseLate Excuse = "slow link"
)

// ExcusedTime is the time of machines that excuses cover in a run. Times are node-seconds: a machine in a
// second.
type ExcusedTime struct {
	Present  time.Duration // of all machines that had power and ran
	ByExcuse map[Excuse]time.Duration
}

// Add adds the times of another run.
func (e *ExcusedTime) Add(o ExcusedTime) {
	e.Present += o.Present
	if e.ByExcuse == nil {
		e.ByExcuse = map[Excuse]time.Duration{}
	}
	for excuse, lasts := range o.ByExcuse {
		e.ByExcuse[excuse] += lasts
	}
}

// Share returns the share of the machines' time that all excuses cover.
func (e *ExcusedTime) Share() fault.PPM {
	var covered time.Duration
	for _, lasts := range e.ByExcuse {
		covered += lasts
	}
	return fault.PPM(int64(float64(covered) / float64(max(e.Present, 1)) * float64(fault.Always)))
}

// Lines returns one line for each excuse that was used.
func (e *ExcusedTime) Lines() []string {
	var lines []string
	for _, excuse := range slices.Sorted(maps.Keys(e.ByExcuse)) {
		lines = append(lines, fmt.Sprintf("excused (%s): %.0f of %.0f node-seconds", excuse,
			e.ByExcuse[excuse].Seconds(), e.Present.Seconds()))
	}
	return lines
}

// ExcusedTime measures the excuses of the run.
func (h *Health) ExcusedTime() ExcusedTime {
	all := ExcusedTime{ByExcuse: map[Excuse]time.Duration{}}
	for i := range h.Phases {
		p := &h.Phases[i]
		lasts := p.To - p.From
		for m := range p.Present {
			if !p.Present[m] {
				continue
			}
			all.Present += lasts
			switch {
			case p.Unclear:
				all.ByExcuse[ExcuseUnclear] += lasts
			case p.Late[m]:
				all.ByExcuse[ExcuseLate] += lasts
			}
		}
	}
	return all
}
