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

// moveCount compares how often services continued on another machine than before with what the scenario
// allows.
type moveCount struct {
	machines    []string
	lastMachine map[string]env.MachineID // by service: where it ran last
	moveTexts   []string
}

func newMoveCountCheck(c Cluster) *moveCount {
	return &moveCount{machines: c.Machines, lastMachine: map[string]env.MachineID{}}
}

// Name implements check.Check.
func (*moveCount) Name() string { return "ha-moves" }

// Observe implements check.Observer.
func (m *moveCount) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		if rec.On {
			m.onRunning(rec.SID, r)
		}
	case programs.Heartbeat:
		if rec.Phase == programs.Starting {
			m.onRunning(rec.Name, r)
		}
	}
}

// onRunning notes that a service runs on the machine of a record.
func (m *moveCount) onRunning(sid string, r scenarios.Stamped) {
	before, known := m.lastMachine[sid]
	if known && before != r.Machine {
		m.moveTexts = append(m.moveTexts, fmt.Sprintf("%s from %s to %s at %v", sid, m.machines[before],
			m.machines[r.Machine], r.At))
	}
	m.lastMachine[sid] = r.Machine
}

// Judge implements check.Check.
func (m *moveCount) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	allowed, count := e.HA.Moves, len(m.moveTexts)
	var violations []linearizability.Violation
	if count < allowed.AtLeast || count > allowed.AtMost {
		violations = append(violations, violationOfKind(WrongMoves,
			"services moved %d times, which should be %d to %d: %v", count, allowed.AtLeast, allowed.AtMost,
			m.moveTexts))
	}
	v := check.Verdict(m.Name(), violations, fmt.Sprintf("%d moves of services, %d to %d are allowed",
		count, allowed.AtLeast, allowed.AtMost))
	v.Details = m.moveTexts
	return v
}
