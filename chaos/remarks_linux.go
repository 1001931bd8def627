package chaos

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/chaos/vswitch"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// remarks collects what the backend observes about a run, for its own verdict. It is safe for use by
// several goroutines.
type remarks struct {
	mu       sync.Mutex // guards what follows
	problems []string   // reasons why the run proves nothing
	findings []string   // what the programs did wrong
	notes    []string   // what a reader should know
}

func (r *remarks) addProblem(format string, args ...any) { r.addTo(&r.problems, format, args...) }
func (r *remarks) addFinding(format string, args ...any) { r.addTo(&r.findings, format, args...) }
func (r *remarks) addNote(format string, args ...any)    { r.addTo(&r.notes, format, args...) }

func (r *remarks) addTo(to *[]string, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*to = append(*to, fmt.Sprintf(format, args...))
}

// noteTraffic notes what the switch did and lost.
func (r *remarks) noteTraffic(s vswitch.Stats) {
	r.addNote("the switch carried %d frames, and dropped %d because of the scenario's faults",
		s.Delivered, s.Dropped)
	if lost := s.Overflowed + s.Refused; lost > 0 {
		r.addNote("%d frames were dropped outside the schedule: the switch or an interface was full", lost)
	}
	if s.Late > 0 {
		r.addNote("%d frames were delivered more than %v late, at most %v: this machine is busy",
			s.Late, vswitch.LateAfter, s.MaxLateness.Round(time.Millisecond))
	}
}

// verdict returns the backend's own verdict: invalid for what no program may do, unknown when the
// run proves nothing.
func (r *remarks) verdict(out *scenarios.Run) linearizability.Verdict {
	for _, f := range out.Scenario.Faults {
		if f.Kind == fault.PowerCut {
			r.addNote("a power cut ended everything on its machine, but what was not synced survived: " +
				"this run does not show what disks lose")
			break
		}
	}
	v := linearizability.Verdict{Checker: Checker, Validity: linearizability.Valid, Details: r.notes,
		Summary: fmt.Sprintf("%d machines ran for %v, %d faults were injected", len(out.Scenario.Machines),
			out.Duration.Round(time.Millisecond), len(out.Applied))}
	switch {
	case len(r.findings) > 0:
		v.Validity, v.Summary = linearizability.Invalid, r.findings[0]
		v.Details = slices.Concat(r.findings[1:], r.problems, r.notes)
	case len(r.problems) > 0:
		v.Validity, v.Summary = linearizability.Unknown, r.problems[0]
		v.Details = slices.Concat(r.problems[1:], r.notes)
	}
	return v
}
