package reports

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/emitted"
	"github.com/holdfast-sim/holdfast/reports/internal/outcomes"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// view is a run with everything that several outputs derive from it.
type view struct {
	opts            Options
	run             *scenarios.Run
	subjectTimeline scenarios.Timeline
	ops             []history.Operation
	// opsProblem is why the events do not make operations; the rest is shown all the same.
	opsProblem     string
	endTime        time.Duration
	scenarioYAML   []byte
	picture        []byte
	pictureProblem string
	emitted        *emitted.View
	emittedProblem string
}

// newDrawnView is a view for outputs that draw the run, which show what its records contain. Others do
// without reading all of them.
func newDrawnView(o Options, run *scenarios.Run) *view {
	v := newView(o, run)
	v.readEmitted()
	return v
}

func newView(o Options, run *scenarios.Run) *view {
	v := &view{opts: o, run: run, emitted: &emitted.View{}}
	v.subjectTimeline = o.timelineOf(run)
	ops, err := history.Operations(run.Events)
	if err != nil {
		v.opsProblem = err.Error()
	}
	v.ops, v.endTime = ops, runEnd(run)
	return v
}

// timelineOf asks the run's subject for the story, unless it is known.
func (o Options) timelineOf(run *scenarios.Run) scenarios.Timeline {
	if o.Timeline != nil {
		return *o.Timeline
	}
	if run.Subject == nil || run.Subject.Judge() == nil {
		return scenarios.Timeline{}
	}
	return run.Subject.Judge().Timeline(run)
}

// runEnd is the last instant that anything shown happened at; at least one millisecond, so that
// there is an axis to draw.
func runEnd(run *scenarios.Run) time.Duration {
	end := max(run.Duration, time.Millisecond)
	for i := range run.Events {
		end = max(end, time.Duration(run.Events[i].Time))
	}
	for i := range run.Applied {
		end = max(end, run.Applied[i].Begun[1], run.Applied[i].Ended[1])
	}
	return end
}

// scenarioName is the scenario's name, also of a run without one.
func scenarioName(run *scenarios.Run) string {
	if run.Scenario == nil || run.Scenario.Name == "" {
		return "unnamed"
	}
	return run.Scenario.Name
}

// machineName is a machine's name in the scenario, else its number.
func machineName[T ~int32](run *scenarios.Run, id T) string {
	if s := run.Scenario; s != nil && id >= 0 && int(id) < len(s.Machines) {
		return s.Machines[id]
	}
	return "#" + words.Decimal(int64(id))
}

// clientOf is the client behind a process number of the history: a client whose call ended with an
// unknown outcome continues under a number that is larger by the number of clients.
func clientOf(run *scenarios.Run, process int) int {
	if s := run.Scenario; s != nil && s.Workload.Clients > 0 && process >= 0 {
		if process >= workload.FirstActor {
			return s.Workload.Clients // actors count as one client
		}
		return process % s.Workload.Clients
	}
	return process
}

// endOfOp is when an operation stops being drawn: its return, or when its client gave up.
func (v *view) endOfOp(op *history.Operation) time.Duration {
	switch {
	case op.Return != history.Never:
		return time.Duration(op.Return)
	case op.Ended != 0:
		return time.Duration(op.Ended)
	}
	return max(v.endTime, time.Duration(op.Call))
}

func (v *view) countOutcomes() (c outcomes.Counts) {
	for i := range v.ops {
		c.Add(v.ops[i].Outcome)
	}
	return c
}

// MembershipLane is the name that a subject gives to its lanes of membership.
const MembershipLane = "membership"

// membershipChanges counts how often a machine's membership became another one, over all machines. Some
// subjects have no membership.
func (v *view) membershipChanges() (changes int, hasMembership bool) {
	for _, lane := range v.subjectTimeline.Lanes {
		if lane.Name != MembershipLane {
			continue
		}
		hasMembership = true
		for i := 1; i < len(lane.Spans); i++ {
			if lane.Spans[i].Text != lane.Spans[i-1].Text {
				changes++
			}
		}
	}
	return changes, hasMembership
}

// firstViolation is the first violation of the first verdict that has one.
func firstViolation(
	verdicts []linearizability.Verdict,
) (*linearizability.Verdict, *linearizability.Violation) {
	for i := range verdicts {
		if verdicts[i].Validity == linearizability.Invalid && len(verdicts[i].Violations) > 0 {
			return &verdicts[i], &verdicts[i].Violations[0]
		}
	}
	return nil, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
