package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// TooManyMoves: services went from machine to machine more often, or less often, than they should.
const TooManyMoves linearizability.Kind = "wrong number of moves"

// TooLongDown: a service was down for longer than it may be.
const TooLongDown linearizability.Kind = "service down for too long"

// haLife follows each service from machine to machine.
type haLife struct {
	scenario *scenarios.Scenario
	last     map[string]env.MachineID // where it ran last
	moves    []move
	under    []underway
	taken    []takenBatch
	refused  []refusal
}

// takenBatch is a batch of commands that a master has carried out, refusal a command that it has not.
type takenBatch struct {
	haproc.CommandsTaken
	by env.MachineID
	at time.Duration
}

type refusal struct {
	haproc.CommandRefused
	at time.Duration
}

// underway is an agent's order to move a service, from its beginning to its end.
type underway struct {
	uid, sid, target string
	span
}

// move is a service's going on on another machine than before.
type move struct {
	sid      string
	from, to env.MachineID
	at       time.Duration
}

func newHALife(s *scenarios.Scenario) *haLife {
	return &haLife{scenario: s, last: map[string]env.MachineID{}}
}

func (l *haLife) record(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		if rec.On {
			l.runs(rec.SID, r)
		}
	case host.ProgramHeartbeat:
		if rec.Phase == host.ProgramStarting {
			l.runs(rec.Name, r)
		}
	case haproc.CommandBegun:
		if rec.Target != "" {
			l.under = append(l.under, underway{rec.UID, rec.SID, rec.Target, span{r.At, forever}})
		}
	case haproc.CommandsTaken:
		l.taken = append(l.taken, takenBatch{rec, r.Machine, r.At})
	case haproc.CommandRefused:
		l.refused = append(l.refused, refusal{rec, r.At})
	case haproc.CommandDone:
		for i := range l.under {
			if l.under[i].uid == rec.UID {
				l.under[i].to = min(l.under[i].to, r.At)
			}
		}
	}
}

// comes says whether any service was on its way to a node at some instant of a time. The way of one
// whose source died ends with the run: nobody has said anything else.
func (l *haLife) comes(node string, from, to time.Duration) bool {
	return slices.ContainsFunc(l.under, func(u underway) bool {
		return u.target == node && u.from <= to && u.to >= from
	})
}

func (l *haLife) runs(sid string, r scenarios.Stamped) {
	before, known := l.last[sid]
	if known && before != r.Machine {
		l.moves = append(l.moves, move{sid, before, r.Machine, r.At})
	}
	l.last[sid] = r.Machine
}

// checkLife compares what services went through with what the scenario allows.
func (w *haWatch) checkLife(r *scenarios.Run) (verdicts []linearizability.Verdict) {
	h := w.subject.spec.HA
	if h.Moves != nil {
		verdicts = append(verdicts, w.life.checkMoves(h.Moves))
	}
	if h.Operations != nil {
		verdicts = append(verdicts, w.checkRequests(r))
	}
	if len(h.DownAtMost) > 0 {
		verdicts = append(verdicts, w.checkDown(r, h.DownAtMost))
	}
	return verdicts
}

func (l *haLife) checkMoves(allowed *haspec.Moves) linearizability.Verdict {
	var text []string
	for _, m := range l.moves {
		text = append(text, fmt.Sprintf("%s from %s to %s at %v", m.sid, l.scenario.Machines[m.from], l.scenario.Machines[m.to], m.at))
	}
	var violations []linearizability.Violation
	if n := len(l.moves); n < allowed.AtLeast || n > allowed.AtMost {
		violations = append(violations, linearizability.Violation{Kind: TooManyMoves, Explain: fmt.Sprintf(
			"services moved %d times, which should be %d to %d: %v", n, allowed.AtLeast, allowed.AtMost, text)})
	}
	v := verdict("ha-moves", violations, fmt.Sprintf("%d moves of services, %d to %d are right",
		len(l.moves), allowed.AtLeast, allowed.AtMost))
	v.Details = slices.Concat(v.Details, text)
	return v
}

// checkDown adds up the times in which services ran nowhere.
func (w *haWatch) checkDown(r *scenarios.Run, allowed map[string]time.Duration) linearizability.Verdict {
	var violations []linearizability.Violation
	var text []string
	for _, sid := range slices.Sorted(maps.Keys(allowed)) {
		down, most := w.downFor(sid, r.Duration), r.Timescale.Of(allowed[sid])
		text = append(text, fmt.Sprintf("%s was down for %v", sid, down))
		if down > most {
			violations = append(violations, linearizability.Violation{Kind: TooLongDown, Explain: fmt.Sprintf(
				"service %s was down for %v in all, %v is the most", sid, down, most)})
		}
	}
	v := verdict("ha-down", violations, strings.Join(text, ", "))
	v.Details = slices.Concat(v.Details, text)
	return v
}

// downFor is how long a service ran nowhere from its first start on, or from the beginning when it
// was never started.
func (w *haWatch) downFor(sid string, end time.Duration) (down time.Duration) {
	since, began := time.Duration(0), false // since when it runs nowhere
	for _, l := range w.lives {             // in the order of their beginnings
		if l.sid != sid {
			continue
		}
		if began && l.from > since {
			down += l.from - since
		}
		since, began = max(since, l.to), true
	}
	return down + max(end-since, 0)
}
