package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/chaos/vswitch"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// collectProbes asks the programs which rare paths they reached and whether their records are
// complete.
func (r *run) collectProbes(ctx context.Context) {
	d, ok := r.driver.(ProbeDriver)
	if !ok {
		return
	}
	r.out.Probes = map[string]int{}
	for _, m := range r.machines {
		limited, cancel := context.WithTimeout(ctx, controlTimeout)
		probes, err := d.Probes(limited, m.Machine)
		cancel()
		if err != nil {
			r.problem("asking %s what it has reached: %v", m.Name, err)
		}
		for id, n := range probes {
			r.out.Probes[id] += n
		}
	}
}

// readRecords reads the records that a program emitted. The program must have ended.
func (r *run) readRecords(m *machine) {
	found, err := r.driver.Records(m.Machine, 0)
	if err != nil {
		r.problem("%v", err)
	}
	judge := r.out.Subject.Judge()
	for _, f := range found {
		record, err := scenarios.DecodeRecord(judge, f.Kind, f.Record)
		if err != nil {
			r.problem("reading a %s record of %s: %v", f.Kind, m.Name, err)
			continue
		}
		r.out.Records = append(r.out.Records, scenarios.Stamped{At: time.Duration(f.At - r.begunKernel),
			Machine: m.ID, Process: f.Process, Record: record})
	}
}

func (r *run) readCounters(m *machine) {
	dropped, err := m.node.TxDropped()
	switch {
	case err != nil:
		r.problem("%v", err)
	case dropped > 0:
		r.note("the kernel dropped %d frames of %s before the switch could read them", dropped, m.Name)
	}
}

func (r *run) noteTraffic(s vswitch.Stats) {
	r.note("the switch carried %d frames, and dropped %d because of the scenario's faults",
		s.Delivered, s.Dropped)
	if lost := s.Overflowed + s.Refused; lost > 0 {
		r.note("%d frames were dropped outside the schedule: the switch or an interface was full", lost)
	}
	if s.Late > 0 {
		r.note("%d frames were delivered more than %v late, at most %v: this machine is busy",
			s.Late, vswitch.LateAfter, s.Latest.Round(time.Millisecond))
	}
}

// judge passes the records to the subject's judge in the order of their times, and adds the
// backend's own verdict.
func (r *run) judge(ctx context.Context) {
	out := r.out
	slices.SortStableFunc(out.Records, func(a, b scenarios.Stamped) int { return cmp.Compare(a.At, b.At) })
	watch := out.Subject.Judge().Watch(out.Scenario)
	for _, record := range out.Records {
		if err := watch.Record(record); err != nil {
			r.finding("%s, %s at %v: %v",
				out.Scenario.Machines[record.Machine], record.Process, record.At, err)
			break
		}
	}
	out.Verdicts = append(out.Verdicts, r.verdict())
	scenarios.Conclude(ctx, watch, out)
}

// verdict returns the backend's own verdict: invalid for what no program may do, unknown when the
// run proves nothing.
func (r *run) verdict() linearizability.Verdict {
	for _, f := range r.out.Scenario.Faults {
		if f.Kind == fault.PowerCut {
			r.note("a power cut ended everything on its machine, but what was not synced survived: " +
				"this run says nothing of what disks lose")
			break
		}
	}
	v := linearizability.Verdict{Checker: Checker, Validity: linearizability.Valid, Details: r.notes,
		Summary: fmt.Sprintf("%d machines ran for %v, %d faults were injected", len(r.machines),
			r.out.Duration.Round(time.Millisecond), len(r.out.Applied))}
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
