package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// TooManyMoves: services went from machine to machine more often, or less often, than they should.
const TooManyMoves linearizability.Kind = "wrong number of moves"

// HAMoves bounds how often services move from one machine to another in the whole run.
type HAMoves struct {
	AtLeast int `yaml:"at_least,omitempty" json:"at_least,omitempty"`
	AtMost  int `yaml:"at_most" json:"at_most"`
}

// TooLongDown: a service was down for longer than it may be.
const TooLongDown linearizability.Kind = "service down for too long"

// haLife follows each service from machine to machine.
type haLife struct {
	scenario *scenarios.Scenario
	last     map[string]env.MachineID // where it ran last
	moves    []move
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
	case host.ProgramLife:
		if rec.Phase == host.ProgramBegins {
			l.runs(rec.Name, r)
		}
	}
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
	if len(h.DownAtMost) > 0 {
		verdicts = append(verdicts, w.checkDown(r, h.DownAtMost))
	}
	return verdicts
}

func (l *haLife) checkMoves(allowed *HAMoves) linearizability.Verdict {
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
		spans := w.spansOf(sid)
		down, most := time.Duration(0), r.Timescale.Of(allowed[sid])
		for i, s := range spans {
			next := r.Duration
			if i+1 < len(spans) {
				next = spans[i+1].from
			}
			if s.to > 0 {
				down += next - s.to
			}
		}
		if len(spans) == 0 {
			down = r.Duration
		}
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
