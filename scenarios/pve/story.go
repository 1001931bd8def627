package pve

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Timeline implements scenarios.Judge: membership, quorum and store of every node over time.
func (j judge) Timeline(r *scenarios.Run) scenarios.Timeline {
	t := teller{subject: j.subject, lanes: map[laneKey]*scenarios.Lane{}, end: r.Duration}
	lanes := append([]string{laneMembership, laneQuorum, laneStore}, j.subject.haLanes()...)
	for m := range r.Scenario.Machines {
		for _, name := range lanes {
			t.lane(env.MachineID(m), name)
		}
	}
	var lives *biographer
	if h := j.subject.spec.HA; h != nil {
		lives = newBiographer(h, j.subject.NodeNames())
		lives.requests(r.Events)
	}
	for _, rec := range r.Records {
		t.take(rec)
		if lives != nil {
			lives.take(rec)
		}
	}
	story := scenarios.Timeline{
		Policy: "strict: a write is acknowledged once every later quorum must contain a machine that has it on disk",
	}
	for m, name := range r.Scenario.Machines {
		for _, lane := range lanes {
			l := t.lane(env.MachineID(m), lane)
			l.Machine = name
			if n := len(l.Spans); n > 0 && l.Spans[n-1].To == 0 {
				l.Spans[n-1].To = r.Duration
			}
			story.Lanes = append(story.Lanes, *l)
		}
	}
	if lives != nil {
		story.Lanes = append(lives.lanes(r.Duration), story.Lanes...)
	}
	story.Notes = j.notes(r)
	return story
}

// InTimeline implements scenarios.TimelineFilter. Messages of the ring and commands of the agents, but for
// moves, are most of the records; they are judged one by one, and the story has nothing of them.
func (judge) InTimeline(r env.Record) bool {
	switch r := r.(type) {
	case totem.Sent, totem.Delivered:
		return false
	case haproc.CommandBegun:
		return r.Target != ""
	case haproc.CommandDone:
		return ha.ServiceState(r.State).Moving()
	}
	return true
}

const (
	laneMembership = "membership"
	laneQuorum     = "quorum"
	laneStore      = "store"
)

type laneKey struct {
	machine env.MachineID
	name    string
}

// teller turns records into spans.
type teller struct {
	subject *Subject
	lanes   map[laneKey]*scenarios.Lane
	end     time.Duration
}

func (t *teller) lane(m env.MachineID, name string) *scenarios.Lane {
	key := laneKey{m, name}
	if t.lanes[key] == nil {
		t.lanes[key] = &scenarios.Lane{Name: name}
	}
	return t.lanes[key]
}

// begin ends a lane's present span and opens the next one.
func (t *teller) begin(m env.MachineID, name string, at time.Duration, text, class string) {
	l := t.lane(m, name)
	if n := len(l.Spans); n > 0 && l.Spans[n-1].To == 0 {
		if l.Spans[n-1].Text == text && l.Spans[n-1].Class == class {
			return
		}
		l.Spans[n-1].To = max(at, l.Spans[n-1].From+1)
	}
	l.Spans = append(l.Spans, scenarios.Span{From: at, Text: text, Class: class})
}

func (t *teller) take(r scenarios.Stamped) {
	if t.subject.spec.HA != nil {
		t.takeHA(r)
	}
	switch rec := r.Record.(type) {
	case totem.Started:
		t.begin(r.Machine, laneMembership, r.At, "starting", "idle")
		t.begin(r.Machine, laneQuorum, r.At, "no ring", "idle")
	case totem.Membership:
		if rec.Kind == cpg.Regular {
			t.begin(r.Machine, laneMembership, r.At,
				fmt.Sprintf("ring %v: %s", rec.Ring, t.names(rec.Members)), t.class(len(rec.Members)))
		}
	case totem.StateChange:
		if rec.To == totem.Gather {
			t.begin(r.Machine, laneMembership, r.At, "gathering: "+rec.Reason, "warn")
			t.begin(r.Machine, laneQuorum, r.At, "no ring", "idle")
		}
	case node.QuorumView:
		text, class := fmt.Sprintf("%d of %d votes, %d needed", rec.Votes, rec.Expected, rec.Quorum), "bad"
		if rec.Quorate {
			class = "good"
		}
		t.begin(r.Machine, laneQuorum, r.At, text, class)
	case store.Writable:
		text, class := "read-only", "bad"
		if rec.Writable {
			text, class = "serving "+t.names(rec.Members), "good"
		}
		t.begin(r.Machine, laneStore, r.At, text, class)
	case store.Failed:
		t.begin(r.Machine, laneStore, r.At, "stopped: "+rec.Reason, "bad")
	}
}

func (t *teller) names(ids []ring.NodeID) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		if m, ok := t.subject.machineOf(id); ok {
			names = append(names, t.subject.conf.Nodes[m].Name)
		}
	}
	return strings.Join(names, " ")
}

func (t *teller) class(members int) string {
	switch {
	case members == len(t.subject.machines):
		return "good"
	case members > len(t.subject.machines)/2:
		return "warn"
	}
	return "bad"
}

// notes says where the engine as configured differs from the file, and where Proxmox VE would have
// answered differently.
func (j judge) notes(r *scenarios.Run) []string {
	var notes []string
	for _, l := range j.subject.conf.Unsupported() {
		notes = append(notes, l.String())
	}
	for _, warning := range j.subject.warnings {
		notes = append(notes, warning.Error())
	}
	const policy = "Proxmox VE acknowledges a write once the local node has applied it. "
	switch early := earlyAcknowledged(r); early {
	case 0:
		return append(notes, policy+"In this run that would have made no difference: no write was durable on only one "+
			"machine for longer than a millisecond.")
	default:
		return append(notes, fmt.Sprintf(policy+"In this run %d writes were durable on only one machine for longer "+
			"than a millisecond: had that machine died then, Proxmox VE would have lost them after saying yes.", early))
	}
}

// earlyAcknowledged counts the changes that one node alone had on disk for more than a
// millisecond before a second one had them too.
func earlyAcknowledged(r *scenarios.Run) int {
	first := map[uint64]scenarios.Stamped{}
	second := map[uint64]bool{}
	count := 0
	for _, rec := range r.Records {
		a, ok := rec.Record.(store.Applied)
		if !ok || second[a.Revision] {
			continue
		}
		at, seen := first[a.Revision]
		if !seen {
			first[a.Revision] = rec
			continue
		}
		if at.Machine == rec.Machine {
			continue // told again after a restart
		}
		second[a.Revision] = true
		if rec.At-at.At > time.Millisecond {
			count++
		}
	}
	return count
}
