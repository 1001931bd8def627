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
	underway []underway
	moving   map[string][]time.Duration // by service: when an agent began to move it
	taken    []takenBatch
	refused  []refusal
	failures []failedStart
	fences   []fenceDecision
}

// underway is an agent's command to move a service, from its beginning to its end.
type underway struct {
	uid, sid, target string
	check.Span
}

// takenBatch is a batch of commands that a master has carried out.
type takenBatch struct {
	haproc.CommandsTaken
	by env.MachineID
	at time.Duration
}

// refusal is a command that a master has refused.
type refusal struct {
	haproc.CommandRefused
	at time.Duration
}

// failedStart is a start of a service that failed on a machine.
type failedStart struct {
	sid     string
	machine env.MachineID
	at      time.Duration
}

// fenceDecision is the master's decision to give up a node.
type fenceDecision struct {
	node string
	at   time.Duration
}

// observe takes the records of masters and agents.
func (l *orderLog) observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case haproc.CommandBegun:
		l.begun(r, &rec)
	case haproc.CommandDone:
		l.done(r, &rec)
	case haproc.CommandsTaken:
		l.taken = append(l.taken, takenBatch{rec, r.Machine, r.At})
	case haproc.CommandRefused:
		l.refused = append(l.refused, refusal{rec, r.At})
	case haproc.FenceStep:
		if rec.Step == ha.FenceStarted {
			l.fences = append(l.fences, fenceDecision{rec.Node, r.At})
		}
	}
}

// begun takes the beginning of an agent's command.
func (l *orderLog) begun(r scenarios.Stamped, rec *haproc.CommandBegun) {
	if rec.Target != "" {
		l.underway = append(l.underway, underway{rec.UID, rec.SID, rec.Target,
			check.Span{From: r.At, To: check.Forever}})
	}
	if ha.ServiceState(rec.State).Moving() {
		if l.moving == nil {
			l.moving = map[string][]time.Duration{}
		}
		l.moving[rec.SID] = append(l.moving[rec.SID], r.At)
	}
}

// done takes the end of an agent's command.
func (l *orderLog) done(r scenarios.Stamped, rec *haproc.CommandDone) {
	if rec.UID != "" && rec.State == ha.Started && rec.ExitCode != ha.ExitSuccess {
		l.failures = append(l.failures, failedStart{rec.SID, r.Machine, r.At})
	}
	for i := range l.underway {
		if l.underway[i].uid == rec.UID {
			l.underway[i].To = min(l.underway[i].To, r.At)
		}
	}
}

// cameTo reports whether any service was ordered to move to a node until an instant.
func (l *orderLog) cameTo(node string, until time.Duration) bool {
	return slices.ContainsFunc(l.underway, func(u underway) bool {
		return u.target == node && u.From <= until
	})
}
