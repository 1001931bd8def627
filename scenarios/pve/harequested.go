package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Kinds of violations of requests.
const (
	// LostRequest: a request that was acknowledged had no effect, and nobody said why.
	LostRequest linearizability.Kind = "request lost"
	// RepeatedRequest: a master carried out what a master had carried out.
	RepeatedRequest linearizability.Kind = "request carried out twice"
	// IgnoredStop: a service ran or began to run although it was to stay stopped.
	IgnoredStop linearizability.Kind = "stopped service runs"
)

// asked is a request of the history.
type asked struct {
	haspec.Request
	id       string
	from, to time.Duration // call and answer; forever without one
	outcome  history.Type
	rev      uint64
}

// requestsOf are those of a history in the order in which the store took them, as far as that is
// known: those with an unknown outcome, and those that failed, stand where they were made.
func requestsOf(events []history.Event) []asked {
	var list []asked
	open := map[int]int{}
	for i := range events {
		e := &events[i]
		if !haspec.IsRequest(e.F) {
			continue
		}
		if e.Type == history.Invoke {
			open[e.Process] = len(list)
			list = append(list, asked{Request: haspec.Request{Kind: e.F, SID: e.Key, Node: text(e)}, id: e.ID,
				from: time.Duration(e.Time), to: forever, outcome: history.Info})
			continue
		}
		a := &list[open[e.Process]]
		a.outcome, a.rev = e.Type, e.Rev
		if e.Type != history.Info {
			a.to = time.Duration(e.Time)
		}
	}
	return inOrder(list)
}

// inOrder sorts requests by their revisions, and puts those without one where they were made.
func inOrder(list []asked) []asked {
	var done, rest []asked
	for _, a := range list {
		if a.outcome == history.OK {
			done = append(done, a)
		} else {
			rest = append(rest, a)
		}
	}
	slices.SortStableFunc(done, func(a, b asked) int { return int(int64(a.rev) - int64(b.rev)) })
	out := make([]asked, 0, len(list))
	for _, a := range done {
		for len(rest) > 0 && rest[0].from <= a.from {
			out, rest = append(out, rest[0]), rest[1:]
		}
		out = append(out, a)
	}
	return append(out, rest...)
}

// text is the word that an event carries.
func text(e *history.Event) string { return strings.Trim(string(e.Value), `"`) }

// requested adds what clients asked for to what is known of the services.
func requested(events []history.Event, about map[string][]word) {
	last := map[string]time.Duration{}
	for _, a := range requestsOf(events) {
		if a.outcome == history.Fail || a.Moves() {
			continue
		}
		w := word{due: a.from, done: a.to, verb: "off"}
		if a.Wants() == ha.WantStarted {
			w.verb = "on"
		}
		if a.outcome == history.OK { // the store's order counts
			w.done = max(w.done, last[a.SID]+1)
			last[a.SID] = w.done
		}
		about[a.SID] = append(about[a.SID], w)
	}
}

// requestJudge judges the requests of a run.
type requestJudge struct {
	*haWatch
	run    *scenarios.Run
	all    []asked
	within time.Duration
	calm   time.Duration // no fault acts from here on
	found  []linearizability.Violation
	judged int
}

// checkRequests: what was acknowledged is carried out once, or refused where everybody can read it.
func (w *haWatch) checkRequests(r *scenarios.Run) linearizability.Verdict {
	j := &requestJudge{haWatch: w, run: r, all: requestsOf(r.Events), calm: w.inPlace}
	j.within = w.subject.spec.HA.Operations.CarriedOutWithin
	if j.within == 0 {
		j.within = haspec.DefaultCarriedOutWithin
	}
	j.within = r.Timescale.Of(j.within)
	for i := range r.Applied {
		j.calm = max(j.calm, r.Applied[i].Ended[1])
	}
	j.checkBatches()
	j.checkStops()
	j.checkMoves()
	acknowledged := 0
	for _, a := range j.all {
		if a.outcome == history.OK {
			acknowledged++
		}
	}
	return verdict("ha-requests", j.found, fmt.Sprintf(
		"%d requests for services, %d acknowledged, none lost or done twice; of %d the effect could be told",
		len(j.all), acknowledged, j.judged))
}

func (j *requestJudge) violation(kind linearizability.Kind, format string, args ...any) {
	j.found = append(j.found, linearizability.Violation{Kind: kind, Explain: fmt.Sprintf(format, args...)})
}

// checkBatches: every acknowledged move has come to a master's knowledge, and each batch once.
func (j *requestJudge) checkBatches() {
	first := map[string]takenBatch{}
	took := map[string]int{}
	for _, b := range j.life.taken {
		before, again := first[b.Batch]
		if again && b.Before {
			continue
		}
		if again {
			j.violation(RepeatedRequest, "at %v %s carries out the commands %q, which %s had carried out at %v",
				b.at, j.scenario.Machines[b.by], b.Lines, j.scenario.Machines[before.by], before.at)
			continue
		}
		first[b.Batch] = b
		for _, line := range b.Lines {
			took[line]++
		}
	}
	if j.run.Backend != simulated {
		return // the last words of a master that died may be missing
	}
	asked, by := map[string]int{}, map[string]time.Duration{}
	for _, a := range j.all {
		if a.Moves() && a.outcome == history.OK && max(a.to, j.calm)+j.within <= j.run.Duration {
			asked[a.Line()]++
			by[a.Line()] = a.to
		}
	}
	for _, line := range slices.Sorted(maps.Keys(asked)) {
		j.judged += asked[line]
		if took[line] < asked[line] {
			j.violation(LostRequest, "%q was acknowledged %d times, the last time at %v, and no more than %d of them "+
				"ever came to a master's knowledge", line, asked[line], by[line], took[line])
		}
	}
}

// checkStops: who was stopped, and nobody wanted it since, neither begins to run nor runs on.
func (j *requestJudge) checkStops() {
	for i, a := range j.all {
		if a.Kind != haspec.RequestStop || a.outcome != history.OK {
			continue
		}
		until := j.wantedAgain(i)
		due := a.to + j.within
		for _, l := range j.lives {
			if l.sid == a.SID && l.from > due && l.from < until && !j.troubled(l.from-j.within, l.from) {
				j.violation(IgnoredStop, "service %s begins to run on %s at %v, though it was stopped at %v (%s)",
					a.SID, j.scenario.Machines[l.machine], l.from, a.to, a.id)
			}
			if calm := max(due, j.calm+j.within); until == forever && l.sid == a.SID && calm < j.run.Duration && l.to > calm {
				j.violation(IgnoredStop, "service %s still runs on %s at %v, though it was stopped at %v (%s)",
					a.SID, j.scenario.Machines[l.machine], calm, a.to, a.id)
			}
		}
		j.judged++
	}
}

// wantedAgain is from when a stopped service may be wanted again.
func (j *requestJudge) wantedAgain(stop int) time.Duration {
	a, until := j.all[stop], forever
	for i, b := range j.all {
		if b.SID == a.SID && b.Kind == haspec.RequestStart && b.outcome != history.Fail && (i > stop || b.to > a.from) {
			until = min(until, b.from)
		}
	}
	for _, c := range j.subject.spec.HA.Commands {
		if words := strings.Fields(c.Run); len(words) > 1 && words[1] == a.SID {
			return 0 // the operator has a hand in it
		}
	}
	return until
}

// troubled says whether any fault acted in a time.
func (j *requestJudge) troubled(from, to time.Duration) bool {
	return slices.ContainsFunc(j.run.Applied, func(a scenarios.Applied) bool {
		return a.Begun[0] <= to && (a.Ended[1] == 0 || a.Ended[1] >= from)
	})
}

// checkMoves: a move that a master took, with nothing in its way, begins, or is refused in words.
func (j *requestJudge) checkMoves() {
	for _, a := range j.all {
		if !a.Moves() || a.outcome != history.OK || !j.undisturbed(&a) {
			continue
		}
		j.judged++
		from, to := a.from, a.to+j.within
		began := slices.ContainsFunc(j.life.under, func(u underway) bool {
			return u.sid == a.SID && u.target == a.Node && u.from >= from && u.from <= to
		})
		refused := slices.ContainsFunc(j.life.refused, func(r refusal) bool {
			return r.at >= from && r.at <= to && r.Line == a.Line()
		})
		if !began && !refused && !j.ranThere(&a, from, to) {
			j.violation(LostRequest, "%s at %v (%s): nothing came of it within %v, and nobody said why",
				a.Line(), a.from, a.id, j.within)
		}
	}
}

// undisturbed says whether neither a fault nor another request for the service can have got in the
// way of a move.
func (j *requestJudge) undisturbed(a *asked) bool {
	from, to := a.from-j.within, a.to+j.within
	if to > j.run.Duration || from < j.inPlace || j.troubled(from, to) || j.wantedElse(a, from, to) {
		return false
	}
	return true
}

func (j *requestJudge) wantedElse(a *asked, from, to time.Duration) bool {
	h := j.subject.spec.HA
	if len(h.Commands) > 0 {
		return true
	}
	return slices.ContainsFunc(j.all, func(b asked) bool {
		return b.id != a.id && b.SID == a.SID && b.outcome != history.Fail && b.from <= to && b.to >= from
	})
}

// ranThere says whether the service ran on the node that a move asks for.
func (j *requestJudge) ranThere(a *asked, from, to time.Duration) bool {
	return slices.ContainsFunc(j.lives, func(l life) bool {
		return l.sid == a.SID && j.subject.NodeNames()[l.machine] == a.Node && l.from <= to && l.to >= from
	})
}
