package hacheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// requests checks that what clients requested and the store acknowledged is carried out once, or refused
// where everybody can read it.
type requests struct{}

// Name implements check.Check.
func (requests) Name() string { return "ha-requests" }

// Judge implements check.Check.
func (c requests) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	j := &requestJudge{Evidence: e, all: requestsOf(e.run.Events), quietFrom: e.operator.inPlace}
	within := e.HA.Operations.CarriedOutWithin
	if within == 0 {
		within = haspec.DefaultCarriedOutWithin
	}
	j.within = e.scaled(within)
	for i := range e.run.Applied {
		j.quietFrom = max(j.quietFrom, e.run.Applied[i].Ended[1])
	}
	j.batches()
	j.stops()
	j.moves()
	acknowledged := 0
	for _, r := range j.all {
		if r.outcome == history.OK {
			acknowledged++
		}
	}
	return check.Verdict(c.Name(), j.found, fmt.Sprintf(
		"%d requests for services, %d acknowledged, none lost or done twice; %d effects could be judged",
		len(j.all), acknowledged, j.judged))
}

// requestJudge judges the requests of a run.
type requestJudge struct {
	*Evidence
	all       []request
	within    time.Duration // how long a request may take
	quietFrom time.Duration // no fault acts from here on
	found     []linearizability.Violation
	judged    int
}

func (j *requestJudge) violation(kind linearizability.Kind, format string, args ...any) {
	j.found = append(j.found, violation(kind, format, args...))
}

// batches checks that every acknowledged move has come to a master's knowledge, and each batch once.
func (j *requestJudge) batches() {
	first := map[string]takenBatch{}
	took := map[string]int{} // by command
	for _, b := range j.decisions.taken {
		before, again := first[b.Batch]
		switch {
		case again && b.Before:
			continue
		case again:
			j.violation(RepeatedRequest,
				"at %v %s carries out the commands %q, which %s had carried out at %v",
				b.at, j.Machines[b.by], b.Lines, j.Machines[before.by], before.at)
			continue
		}
		first[b.Batch] = b
		for _, line := range b.Lines {
			took[line]++
		}
	}
	if j.run.Backend != simulated {
		return // the last records of a master that died may be missing
	}
	acknowledged, last := map[string]int{}, map[string]time.Duration{}
	for _, r := range j.all {
		if r.Moves() && r.outcome == history.OK && max(r.To, j.quietFrom)+j.within <= j.run.Duration {
			acknowledged[r.Line()]++
			last[r.Line()] = r.To
		}
	}
	for _, line := range slices.Sorted(maps.Keys(acknowledged)) {
		j.judged += acknowledged[line]
		if took[line] < acknowledged[line] {
			j.violation(LostRequest, "%q was acknowledged %d times, the last time at %v, and no more "+
				"than %d of them ever came to a master's knowledge", line, acknowledged[line], last[line],
				took[line])
		}
	}
}

// stops checks that a service that was stopped, and not wanted since, neither begins to run nor runs on.
func (j *requestJudge) stops() {
	for i, r := range j.all {
		if r.Kind != haspec.RequestStop || r.outcome != history.OK {
			continue
		}
		until, due := j.wantedAgain(i), r.To+j.within
		for _, v := range j.running.All() {
			if v.Service != r.SID {
				continue
			}
			if v.From > due && v.From < until && !j.health.AnyActed(v.From-j.within, v.From) {
				j.violation(IgnoredStop, "service %s begins to run on %s at %v, though stopped at %v (%s)",
					r.SID, j.Machines[v.Machine], v.From, r.To, r.id)
			}
			if quiet := max(due, j.quietFrom+j.within); until == check.Forever && quiet < j.run.Duration &&
				v.To > quiet {
				j.violation(IgnoredStop, "service %s still runs on %s at %v, though stopped at %v (%s)",
					r.SID, j.Machines[v.Machine], quiet, r.To, r.id)
			}
		}
		j.judged++
	}
}

// wantedAgain is from when a stopped service may be wanted again.
func (j *requestJudge) wantedAgain(stop int) time.Duration {
	r, until := j.all[stop], check.Forever
	for i, other := range j.all {
		if other.SID == r.SID && other.Kind == haspec.RequestStart && other.outcome != history.Fail &&
			(i > stop || other.To > r.From) {
			until = min(until, other.From)
		}
	}
	if slices.ContainsFunc(j.HA.Commands, func(c haspec.Command) bool { return c.Parsed().SID == r.SID }) {
		return 0 // the operator may want it at any time
	}
	return until
}

// moves checks that a move that a master took, with nothing in its way, begins, or is refused.
func (j *requestJudge) moves() {
	for i := range j.all {
		r := &j.all[i]
		if !r.Moves() || r.outcome != history.OK || !j.isUndisturbed(r) {
			continue
		}
		j.judged++
		span := check.Span{From: r.From, To: r.To + j.within}
		began := slices.ContainsFunc(j.decisions.underway, func(u underway) bool {
			return u.sid == r.SID && u.target == r.Node && u.From >= span.From && u.From <= span.To
		})
		if !began && !j.refusedIn(r, span) && !j.ranThere(r, span) {
			j.violation(LostRequest, "%s at %v (%s): nothing came of it within %v, and no master refused it",
				r.Line(), r.From, r.id, j.within)
		}
	}
}

// refusedIn reports whether a master refused the command of a request in a time.
func (j *requestJudge) refusedIn(r *request, span check.Span) bool {
	return slices.ContainsFunc(j.decisions.refused, func(f refusal) bool {
		return f.at >= span.From && f.at <= span.To && f.Line == r.Line()
	})
}

// isUndisturbed reports whether neither a fault nor another request for the service can have got in the way
// of a move.
func (j *requestJudge) isUndisturbed(r *request) bool {
	from, to := r.From-j.within, r.To+j.within
	if to > j.run.Duration || from < j.operator.inPlace || j.health.AnyActed(from, to) ||
		len(j.HA.Commands) > 0 {
		return false
	}
	return !slices.ContainsFunc(j.all, func(other request) bool {
		return other.id != r.id && other.SID == r.SID && other.outcome != history.Fail && other.From <= to &&
			other.To >= from
	})
}

// ranThere reports whether the service ran on the node that a move asks for.
func (j *requestJudge) ranThere(r *request, span check.Span) bool {
	return slices.ContainsFunc(j.running.All(), func(v check.Interval) bool {
		return v.Service == r.SID && j.Nodes[v.Machine] == r.Node && v.From <= span.To && v.To >= span.From
	})
}
