package hacheck

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// orderLog is what masters decided and what agents carried out.
type orderLog struct {
	movesUnderway  []moveUnderway
	moveStarts     map[string][]time.Duration // by service: when an agent began to move it
	takenBatches   []takenBatch
	refusals       []refusal
	failedStarts   []failedStart
	fenceDecisions []fenceDecision
}

// moveUnderway is an agent's command to move a service, from its beginning to its end.
type moveUnderway struct {
	uid, sid, target string
	check.Span
}

// takenBatch is a batch of commands that a master has carried out.
type takenBatch struct {
	haproc.CommandsTaken
	takenBy env.MachineID
	takenAt time.Duration
}

// refusal is a command that a master has refused.
type refusal struct {
	haproc.CommandRefused
	refusedAt time.Duration
}

// failedStart is a start of a service that failed on a machine.
type failedStart struct {
	sid      string
	machine  env.MachineID
	failedAt time.Duration
}

// fenceDecision is the master's decision to give up a node.
type fenceDecision struct {
	node      string
	decidedAt time.Duration
}

// onRecord takes the records of masters and agents.
func (l *orderLog) onRecord(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case haproc.CommandBegun:
		l.onCommandBegun(r, &rec)
	case haproc.CommandDone:
		l.onCommandDone(r, &rec)
	case haproc.CommandsTaken:
		l.takenBatches = append(l.takenBatches, takenBatch{rec, r.Machine, r.At})
	case haproc.CommandRefused:
		l.refusals = append(l.refusals, refusal{rec, r.At})
	case haproc.FenceStep:
		if rec.Step == ha.FenceStarted {
			l.fenceDecisions = append(l.fenceDecisions, fenceDecision{rec.Node, r.At})
		}
	}
}

// onCommandBegun takes the beginning of an agent's command.
func (l *orderLog) onCommandBegun(r scenarios.Stamped, rec *haproc.CommandBegun) {
	if rec.Target != "" {
		l.movesUnderway = append(l.movesUnderway, moveUnderway{rec.UID, rec.SID, rec.Target,
			check.Span{From: r.At, To: check.Forever}})
	}
	if ha.ServiceState(rec.State).Moving() {
		if l.moveStarts == nil {
			l.moveStarts = map[string][]time.Duration{}
		}
		l.moveStarts[rec.SID] = append(l.moveStarts[rec.SID], r.At)
	}
}

// onCommandDone takes the end of an agent's command.
func (l *orderLog) onCommandDone(r scenarios.Stamped, rec *haproc.CommandDone) {
	if rec.UID != "" && rec.State == ha.Started && rec.ExitCode != ha.ExitSuccess {
		l.failedStarts = append(l.failedStarts, failedStart{rec.SID, r.Machine, r.At})
	}
	for i := range l.movesUnderway {
		if l.movesUnderway[i].uid == rec.UID {
			l.movesUnderway[i].To = min(l.movesUnderway[i].To, r.At)
		}
	}
}

// anyMoveTo reports whether any service was ordered to move to a node until an instant.
func (l *orderLog) anyMoveTo(node string, until time.Duration) bool {
	return slices.ContainsFunc(l.movesUnderway, func(u moveUnderway) bool {
		return u.target == node && u.From <= until
	})
}
