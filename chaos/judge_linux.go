package chaos

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// collectProbes asks the programs which rare paths they reached and whether their records are
// complete.
func (r *run) collectProbes(ctx context.Context) {
	d, ok := r.driver.(ProbeDriver)
	if !ok {
		return
	}
	r.result.Probes = map[string]int{}
	for _, m := range r.machines {
		limited, cancel := context.WithTimeout(ctx, controlTimeout)
		probes, err := d.Probes(limited, m.Machine)
		cancel()
		if err != nil {
			r.addProblem("asking %s what it has reached: %v", m.Name, err)
		}
		for id, n := range probes {
			r.result.Probes[id] += n
		}
	}
}

// readRecords reads the records that a program emitted. The program must have ended.
func (r *run) readRecords(m *machine) {
	found, problems := r.recordsOf(m)
	for _, problem := range problems {
		r.addProblem("%v", problem)
	}
	r.result.Records = append(r.result.Records, found...)
}

// recordsOf reads the records of a machine's program. The problems are about those that it could not read.
func (r *run) recordsOf(m *machine) (records []scenarios.Stamped, problems []error) {
	found, err := r.driver.Records(m.Machine, 0)
	if err != nil {
		problems = append(problems, err)
	}
	judge := r.result.Subject.Judge()
	for _, f := range found {
		record, err := scenarios.DecodeRecord(judge, f.Kind, f.Record)
		if err != nil {
			problems = append(problems, fmt.Errorf("reading a %s record of %s: %w", f.Kind, m.Name, err))
			continue
		}
		records = append(records, scenarios.Stamped{At: time.Duration(f.At - r.startedKernelTime),
			Machine: m.ID, Process: f.Process, Record: record})
	}
	return records, problems
}

// recordsSoFar reads what all programs have recorded until now, in the order of their times.
func recordsSoFar(r *run) ([]scenarios.Stamped, error) {
	var all []scenarios.Stamped
	for _, m := range r.machines {
		records, problems := r.recordsOf(m)
		if len(problems) > 0 {
			return nil, problems[0]
		}
		all = append(all, records...)
	}
	r.mu.Lock()
	all = append(all, r.ownRecords...)
	r.mu.Unlock()
	slices.SortStableFunc(all, func(a, b scenarios.Stamped) int { return cmp.Compare(a.At, b.At) })
	return all, nil
}

func (r *run) readCounters(m *machine) {
	dropped, err := m.node.TxDropped()
	switch {
	case err != nil:
		r.addProblem("%v", err)
	case dropped > 0:
		r.addNote("the kernel dropped %d frames of %s before the switch could read them", dropped, m.Name)
	}
}

// judge passes the records to the subject's judge in the order of their times, and adds the
// backend's own verdict.
func (r *run) judge(ctx context.Context) {
	out := r.result
	slices.SortStableFunc(out.Records, func(a, b scenarios.Stamped) int { return cmp.Compare(a.At, b.At) })
	watch := out.Subject.Judge().Watch(out.Scenario)
	for _, record := range out.Records {
		if err := watch.Record(record); err != nil {
			r.addFinding("%s, %s at %v: %v",
				out.Scenario.Machines[record.Machine], record.Process, record.At, err)
			break
		}
	}
	out.Verdicts = append(out.Verdicts, r.verdict(out))
	check.Conclude(ctx, watch, out, r.options)
}
