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
	j := &requestJudge{Evidence: e, requests: requestsOf(e.run.Events),
		quietFrom: e.operatorLog.filesInPlaceAt}
	within := e.HA.Operations.CarriedOutWithin
	if within == 0 {
		within = haspec.DefaultCarriedOutWithin
	}
	j.timeLimit = e.scaledTime(within)
	for i := range e.run.Applied {
		j.quietFrom = max(j.quietFrom, e.run.Applied[i].Ended[1])
	}
	j.checkBatches()
	j.checkStops()
	j.checkMoves()
	acknowledged := 0
	for _, r := range j.requests {
		if r.outcome == history.OK {
			acknowledged++
		}
	}
	return check.Verdict(c.Name(), j.violations, fmt.Sprintf(
		"%d requests for services, %d acknowledged, none lost or done twice; %d effects could be judged",
		len(j.requests), acknowledged, j.judgedCount))
}

// requestJudge judges the requests of a run.
type requestJudge struct {
	*Evidence
	requests    []request
	timeLimit   time.Duration // how long a request may take
	quietFrom   time.Duration // no fault acts from here on
	violations  []linearizability.Violation
	judgedCount int
}

func (j *requestJudge) report(kind linearizability.Kind, format string, args ...any) {
	j.violations = append(j.violations, violationOfKind(kind, format, args...))
}

// checkBatches checks that every acknowledged move has come to a master's knowledge, and each batch once.
func (j *requestJudge) checkBatches() {
	first := map[string]takenBatch{}
	took := map[string]int{} // by command
	for _, b := range j.orderLog.takenBatches {
		before, again := first[b.Batch]
		switch {
		case again && b.Before:
			continue
		case again:
			j.report(RepeatedRequest,
				"at %v %s carries out the commands %q, which %s had carried out at %v",
				b.takenAt, j.Machines[b.takenBy], b.Lines, j.Machines[before.takenBy], before.takenAt)
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
	for _, r := range j.requests {
		if r.Moves() && r.outcome == history.OK && max(r.To, j.quietFrom)+j.timeLimit <= j.run.Duration {
			acknowledged[r.Line()]++
			last[r.Line()] = r.To
		}
	}
	for _, line := range slices.Sorted(maps.Keys(acknowledged)) {
		j.judgedCount += acknowledged[line]
		if took[line] < acknowledged[line] {
			j.report(LostRequest, "%q was acknowledged %d times, the last time at %v, and no more "+
				"than %d of them ever came to a master's knowledge", line, acknowledged[line], last[line],
				took[line])
		}
	}
}

// checkStops checks that a service that was stopped, and not wanted since, neither begins to run nor runs
// on.
func (j *requestJudge) checkStops() {
	for i, r := range j.requests {
		if r.Kind != haspec.RequestStop || r.outcome != history.OK {
			continue
		}
		until, due := j.wantedAgainAt(i), r.To+j.timeLimit
		for _, v := range j.runningIntervals.All() {
			if v.Service != r.SID {
				continue
			}
			if v.From > due && v.From < until && !j.health.AnyActed(v.From-j.timeLimit, v.From) {
				j.report(IgnoredStop, "service %s begins to run on %s at %v, though stopped at %v (%s)",
					r.SID, j.Machines[v.Machine], v.From, r.To, r.id)
			}
			if quiet := max(due, j.quietFrom+j.timeLimit); until == check.Forever && quiet < j.run.Duration &&
				v.To > quiet {
				j.report(IgnoredStop, "service %s still runs on %s at %v, though stopped at %v (%s)",
					r.SID, j.Machines[v.Machine], quiet, r.To, r.id)
			}
		}
		j.judgedCount++
	}
}

// wantedAgainAt is from when a stopped service may be wanted again.
func (j *requestJudge) wantedAgainAt(stop int) time.Duration {
	r, until := j.requests[stop], check.Forever
	for i, other := range j.requests {
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

// checkMoves checks that a move that a master took, with nothing in its way, begins, or is refused.
func (j *requestJudge) checkMoves() {
	for i := range j.requests {
		r := &j.requests[i]
		if !r.Moves() || r.outcome != history.OK || !j.isUndisturbed(r) {
			continue
		}
		j.judgedCount++
		span := check.Span{From: r.From, To: r.To + j.timeLimit}
		began := slices.ContainsFunc(j.orderLog.movesUnderway, func(u moveUnderway) bool {
			return u.sid == r.SID && u.target == r.Node && u.From >= span.From && u.From <= span.To
		})
		if !began && !j.wasRefusedIn(r, span) && !j.ranOnTarget(r, span) {
			j.report(LostRequest, "%s at %v (%s): nothing came of it within %v, and no master refused it",
				r.Line(), r.From, r.id, j.timeLimit)
		}
	}
}

// wasRefusedIn reports whether a master refused the command of a request in a time.
func (j *requestJudge) wasRefusedIn(r *request, span check.Span) bool {
	return slices.ContainsFunc(j.orderLog.refusals, func(f refusal) bool {
		return f.refusedAt >= span.From && f.refusedAt <= span.To && f.Line == r.Line()
	})
}

// isUndisturbed reports whether neither a fault nor another request for the service can have got in the way
// of a move.
func (j *requestJudge) isUndisturbed(r *request) bool {
	from, to := r.From-j.timeLimit, r.To+j.timeLimit
	if to > j.run.Duration || from < j.operatorLog.filesInPlaceAt || j.health.AnyActed(from, to) ||
		len(j.HA.Commands) > 0 {
		return false
	}
	return !slices.ContainsFunc(j.requests, func(other request) bool {
		return other.id != r.id && other.SID == r.SID && other.outcome != history.Fail && other.From <= to &&
			other.To >= from
	})
}

// ranOnTarget reports whether the service ran on the node that a move asks for.
func (j *requestJudge) ranOnTarget(r *request, span check.Span) bool {
	return slices.ContainsFunc(j.runningIntervals.All(), func(v check.Interval) bool {
		return v.Service == r.SID && j.Nodes[v.Machine] == r.Node && v.From <= span.To && v.To >= span.From
	})
}
