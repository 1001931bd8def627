package pve

import (
	"fmt"
	"slices"
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

// check compares the number of moves with what the scenario allows.
func (l *haLife) check(h *HASpec) []linearizability.Verdict {
	if h.Moves == nil {
		return nil
	}
	var text []string
	for _, m := range l.moves {
		text = append(text, fmt.Sprintf("%s from %s to %s at %v", m.sid, l.scenario.Machines[m.from], l.scenario.Machines[m.to], m.at))
	}
	var violations []linearizability.Violation
	if n := len(l.moves); n < h.Moves.AtLeast || n > h.Moves.AtMost {
		violations = append(violations, linearizability.Violation{Kind: TooManyMoves, Explain: fmt.Sprintf(
			"services moved %d times, which should be %d to %d: %v", n, h.Moves.AtLeast, h.Moves.AtMost, text)})
	}
	v := verdict("ha-moves", violations, fmt.Sprintf("%d moves of services, %d to %d are right",
		len(l.moves), h.Moves.AtLeast, h.Moves.AtMost))
	v.Details = slices.Concat(v.Details, text)
	return []linearizability.Verdict{v}
}
