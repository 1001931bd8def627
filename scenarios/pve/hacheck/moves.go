package hacheck

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// moves compares how often services continued on another machine than before with what the scenario allows.
type moves struct {
	machines []string
	last     map[string]env.MachineID // by service: where it ran last
	moved    []string
}

func newMoves(c Cluster) *moves {
	return &moves{machines: c.Machines, last: map[string]env.MachineID{}}
}

// Name implements check.Check.
func (*moves) Name() string { return "ha-moves" }

// Observe implements check.Observer.
func (m *moves) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		if rec.On {
			m.runs(rec.SID, r)
		}
	case programs.Heartbeat:
		if rec.Phase == programs.Starting {
			m.runs(rec.Name, r)
		}
	}
}

// runs notes that a service runs on the machine of a record.
func (m *moves) runs(sid string, r scenarios.Stamped) {
	before, known := m.last[sid]
	if known && before != r.Machine {
		m.moved = append(m.moved, fmt.Sprintf("%s from %s to %s at %v", sid, m.machines[before],
			m.machines[r.Machine], r.At))
	}
	m.last[sid] = r.Machine
}

// Judge implements check.Check.
func (m *moves) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	allowed, count := e.HA.Moves, len(m.moved)
	var violations []linearizability.Violation
	if count < allowed.AtLeast || count > allowed.AtMost {
		violations = append(violations, violation(WrongMoves,
			"services moved %d times, which should be %d to %d: %v", count, allowed.AtLeast, allowed.AtMost,
			m.moved))
	}
	v := check.Verdict(m.Name(), violations, fmt.Sprintf("%d moves of services, %d to %d are allowed",
		count, allowed.AtLeast, allowed.AtMost))
	v.Details = m.moved
	return v
}
