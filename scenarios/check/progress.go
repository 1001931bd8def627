package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

const (
	// enoughCalls is the least number of calls that show that something is not served, if none of them was.
	enoughCalls = 5
	// chancePPB is the probability, in billionths, below which it is no chance that none of the calls of a
	// kind was served while others were.
	chancePPB = 100_000
	// leastServedPercent is the share of the calls, made while a majority could serve, that must be served.
	leastServedPercent = 2
)

// phase is a part of the run without a change of damage, in which a majority could serve.
type phase struct {
	Span
	calls, served map[string]int // by function
}

// Progress judges whether a run shows that the system works. The run is unknown unless
//
//   - a call was served, and at least 2 % of the calls that clients made while the subject's judge expects
//     service ([scenarios.Judge.Survives]), unless less than 5 of all calls were made then
//   - of each kind of operation with enough such calls, one was served: at least 5, and so many that, if
//     each were served as rarely as the others, none would be in less than one of 10,000 runs
//   - the same holds in each phase between two changes of the damage, from the time on in which the system
//     must recover ([scenarios.Scenario.Quiescence])
//
// Which operations were served decides a [scenarios.ServedJudge].
func Progress(r *scenarios.Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "progress", Validity: linearizability.Unknown}
	ops, err := history.Operations(r.Events)
	if err != nil {
		v.Summary = err.Error()
		return v
	}
	able := survivable(r)
	whole, calls := newPhase(Span{}), 0
	phases := make([]phase, len(able))
	for i, s := range able {
		phases[i] = newPhase(Span{s.From + r.Scenario.Quiescence, s.To})
	}
	served := servedBy(r)
	for i := range ops {
		op := &ops[i]
		if op.Process >= workload.FirstActor || op.Error == workload.Stopped ||
			workload.GaveUpWatch(op.F, op.Outcome, op.Error) {
			continue
		}
		calls++
		in := spanAt(able, time.Duration(op.Call))
		if in < 0 {
			continue
		}
		is := served(op)
		whole.count(op, is)
		if phases[in].Contains(time.Duration(op.Call)) {
			phases[in].count(op, is)
		}
	}
	if judged := total(whole.calls); judged < calls && judged < enoughCalls && total(whole.served) == 0 {
		v.Validity = linearizability.Valid
		v.Summary = fmt.Sprintf("only %d of %d calls were made while a majority could serve: "+
			"too few to judge by", judged, calls)
		return v
	}
	if problem := whole.problem(leastServedPercent); problem != "" {
		v.Summary = problem
		return v
	}
	for i := range phases {
		if problem := phases[i].problem(0); problem != "" {
			v.Summary = fmt.Sprintf("from %v to %v, when a majority had been able to serve for %v, %s",
				phases[i].From, phases[i].To, r.Scenario.Quiescence, problem)
			return v
		}
	}
	v.Validity = linearizability.Valid
	v.Summary = fmt.Sprintf("%d of %d calls made while a majority could serve were served, "+
		"some of every kind",
		total(whole.served), total(whole.calls))
	return v
}

func newPhase(s Span) phase { return phase{s, map[string]int{}, map[string]int{}} }

func (p *phase) count(op *history.Operation, served bool) {
	p.calls[op.F]++
	if served {
		p.served[op.F]++
	}
}

// problem returns what was not served in the phase; "" when nothing is missing.
func (p *phase) problem(leastPercent int) string {
	calls, served := total(p.calls), total(p.served)
	if leastPercent > 0 && (served == 0 || 100*served < leastPercent*calls) {
		return fmt.Sprintf("%d of %d calls made while a majority could serve were served, so the run shows "+
			"nothing; write expect.succeeded: 0%% if that is right", served, calls)
	}
	var missing []string
	enough := enoughOf(calls, served)
	for _, f := range slices.Sorted(maps.Keys(p.calls)) {
		if p.calls[f] >= enough && p.served[f] == 0 {
			missing = append(missing, fmt.Sprintf("none of %d calls of %s", p.calls[f], f))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return strings.Join(missing, ", ") + " was served; write expect.succeeded: 0% if that is right"
}

// enoughOf returns how many calls of one kind show that this kind is not served, where so many of all calls
// were. In a run in which half of all calls fail, five that fail are chance.
func enoughOf(calls, served int) int {
	enough, noneServedPPB := 0, int64(1_000_000_000)
	if served == 0 {
		return enoughCalls
	}
	for ; noneServedPPB > chancePPB && enough < calls; enough++ {
		noneServedPPB = noneServedPPB * int64(calls-served) / int64(calls)
	}
	return max(enough, enoughCalls)
}

// spanAt returns which of the spans, in ascending order, contains an instant; -1 when none does.
func spanAt(spans []Span, at time.Duration) int {
	i, _ := slices.BinarySearchFunc(spans, at, func(s Span, at time.Duration) int {
		return cmp.Compare(s.To, at+1) // the first that ends after the instant
	})
	if i < len(spans) && spans[i].Contains(at) {
		return i
	}
	return -1
}

func total(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// servedBy returns a function that reports whether an operation was served.
func servedBy(r *scenarios.Run) func(*history.Operation) bool {
	if r.Subject != nil {
		if j, knows := r.Subject.Judge().(scenarios.ServedJudge); knows {
			return j.Served
		}
	}
	return func(op *history.Operation) bool { return op.Outcome == history.OK }
}

// survivable returns the parts of the workload's time between two changes of the damage in which the subject
// must survive the damage. Machines that are off for any reason count as damaged.
func survivable(r *scenarios.Run) []Span {
	s := r.Scenario
	from, to := s.Warmup, s.Warmup+s.Duration
	faults := Faults{Machines: s.Machines, Applied: r.Applied, End: r.Duration}
	for _, record := range r.Records {
		faults.Power.Observe(record)
	}
	schedule := make([]fault.Fault, 0, len(r.Applied))
	edges := []time.Duration{from, to}
	for i := range r.Applied {
		a := &r.Applied[i]
		if a.Problem != "" || a.Begun[1] == 0 {
			continue
		}
		f := a.Fault
		f.At, f.For = a.Begun[0]-s.Warmup, faults.EndOf(a)-a.Begun[0]
		schedule = append(schedule, f)
		edges = append(edges, a.Begun[0], faults.EndOf(a))
	}
	for _, p := range faults.Power {
		edges = append(edges, p.At)
	}
	slices.Sort(edges)
	var spans []Span
	for i, at := range edges[:len(edges)-1] {
		next := edges[i+1]
		if at < from || at >= to || at == next || r.Subject == nil || faults.buggified(at) {
			continue // one machine that loses what it sends can stop all others
		}
		damage := s.DamageAt(schedule, at-s.Warmup)
		faults.addOff(&damage, at)
		if r.Subject.Judge().Survives(damage) {
			spans = append(spans, Span{at, next})
		}
	}
	return spans
}

// addOff adds the machines that have no power at an instant to a damage. Without any record of power all
// machines are on.
func (f *Faults) addOff(d *scenarios.Damage, at time.Duration) {
	for m := range f.Machines {
		id := env.MachineID(m)
		if f.Power.LostPower(id) && !f.Power.On(id, at) && !slices.Contains(d.Down, id) {
			d.Down = append(d.Down, id)
		}
	}
}
