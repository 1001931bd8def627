package timeline

import (
	"fmt"
	"slices"
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
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Cluster is what the timeline must know of a cluster.
type Cluster struct {
	Nodes []string      // their names, by machine
	IDs   []ring.NodeID // by machine
	// Notes are remarks on the configuration, which come first.
	Notes []string
	HA    *haspec.Spec // nil without the HA manager
}

// Of derives the timeline of a finished run: membership, quorum and store of every node, and with the HA
// manager also its processes, watchdogs and services.
func Of(c Cluster, r *scenarios.Run) scenarios.Timeline {
	b := builder{cluster: c, lanes: map[laneKey]*scenarios.Lane{}}
	lanes := append([]string{laneMembership, laneQuorum, laneStore}, c.haLanes()...)
	for m := range r.Scenario.Machines {
		for _, name := range lanes {
			b.laneOf(env.MachineID(m), name)
		}
	}
	var services *serviceLanes
	if c.HA != nil {
		services = newServiceLanes(c.HA, c.Nodes)
		services.markRequests(r.Events)
	}
	for _, rec := range r.Records {
		b.onRecord(rec)
		if services != nil {
			services.onRecord(rec)
		}
	}
	t := scenarios.Timeline{Policy: "strict: a write is acknowledged once every later quorum must contain " +
		"a machine that has it on disk"}
	for m, name := range r.Scenario.Machines {
		for _, lane := range lanes {
			l := b.laneOf(env.MachineID(m), lane)
			l.Machine = name
			if n := len(l.Spans); n > 0 && l.Spans[n-1].To == 0 {
				l.Spans[n-1].To = r.Duration
			}
			t.Lanes = append(t.Lanes, *l)
		}
	}
	if services != nil {
		t.Lanes = append(services.finishedLanes(r.Duration), t.Lanes...)
	}
	t.Notes = append(slices.Clone(c.Notes), policyNote(r))
	return t
}

// Needs reports whether the timeline looks at a record. Messages of the ring, answers to clients and commands
// of the agents, except for moves, are most of the records. They are judged one by one, and the timeline
// shows none of them.
func Needs(r env.Record) bool {
	switch r := r.(type) {
	case totem.Sent, totem.Delivered, store.Acknowledged, store.Answered:
		return false
	case haproc.CommandBegun:
		return r.Target != ""
	case haproc.CommandDone:
		return ha.ServiceState(r.State).Moving()
	}
	return true
}

// Lanes of every machine.
const (
	laneMembership = "membership"
	laneQuorum     = "quorum"
	laneStore      = "store"
)

// laneKey is a lane of a machine.
type laneKey struct {
	machine env.MachineID
	name    string
}

// builder turns records into the lanes of the machines.
type builder struct {
	cluster Cluster
	lanes   map[laneKey]*scenarios.Lane
}

// laneOf returns a lane, and makes it when there is none.
func (b *builder) laneOf(m env.MachineID, name string) *scenarios.Lane {
	key := laneKey{m, name}
	if b.lanes[key] == nil {
		b.lanes[key] = &scenarios.Lane{Name: name}
	}
	return b.lanes[key]
}

// beginSpan ends a lane's present span and begins the next one, unless nothing changes.
func (b *builder) beginSpan(m env.MachineID, name string, at time.Duration, text, class string) {
	l := b.laneOf(m, name)
	if n := len(l.Spans); n > 0 && l.Spans[n-1].To == 0 {
		if l.Spans[n-1].Text == text && l.Spans[n-1].Class == class {
			return
		}
		l.Spans[n-1].To = max(at, l.Spans[n-1].From+1)
	}
	l.Spans = append(l.Spans, scenarios.Span{From: at, Text: text, Class: class})
}

// onRecord shows a record.
func (b *builder) onRecord(r scenarios.Stamped) {
	if b.cluster.HA != nil {
		b.onHARecord(r)
	}
	switch rec := r.Record.(type) {
	case totem.Started:
		b.beginSpan(r.Machine, laneMembership, r.At, "starting", "idle")
		b.beginSpan(r.Machine, laneQuorum, r.At, "no ring", "idle")
	case totem.Membership:
		if rec.Kind == cpg.Regular {
			b.beginSpan(r.Machine, laneMembership, r.At,
				fmt.Sprintf("ring %v: %s", rec.Ring, b.namesOfNodes(rec.Members)),
				b.classOfStatus(len(rec.Members)))
		}
	case totem.StateChange:
		if rec.To == totem.Gather {
			b.beginSpan(r.Machine, laneMembership, r.At, "gathering: "+rec.Reason, "warn")
			b.beginSpan(r.Machine, laneQuorum, r.At, "no ring", "idle")
		}
	case totem.Excluded:
		if len(rec.From) > 0 {
			text := fmt.Sprintf("excluded from the ring of %s: no link with %s", b.namesOfNodes(rec.From),
				b.namesOfNodes(rec.Missing))
			b.beginSpan(r.Machine, laneMembership, r.At, text, "bad")
		}
	case node.QuorumView:
		text, class := fmt.Sprintf("%d of %d votes, %d needed", rec.Votes, rec.Expected, rec.Quorum), "bad"
		if rec.Quorate {
			class = "good"
		}
		b.beginSpan(r.Machine, laneQuorum, r.At, text, class)
	case store.Writable:
		text, class := "read-only", "bad"
		if rec.Writable {
			text, class = "serving "+b.namesOfNodes(rec.Members), "good"
		}
		b.beginSpan(r.Machine, laneStore, r.At, text, class)
	case store.Failed:
		b.beginSpan(r.Machine, laneStore, r.At, "stopped: "+rec.Reason, "bad")
	}
}

// namesOfNodes are those of nodes, in one text.
func (b *builder) namesOfNodes(ids []ring.NodeID) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		if m := slices.Index(b.cluster.IDs, id); m >= 0 {
			names = append(names, b.cluster.Nodes[m])
		}
	}
	return strings.Join(names, " ")
}

// classOfStatus colours a ring by how many machines are members.
func (b *builder) classOfStatus(members int) string {
	switch {
	case members == len(b.cluster.Nodes):
		return "good"
	case members > len(b.cluster.Nodes)/2:
		return "warn"
	}
	return "bad"
}
