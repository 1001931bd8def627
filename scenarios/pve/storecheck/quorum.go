package storecheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Quorum checks that no two partitions are quorate at the same time.
//
// Two quorate rings that share a member are no split: the member has left one of them, and the other
// members there do not know yet. They can acknowledge nothing that needs its vote.
//
// It also checks that the store acknowledges nothing in a ring in which votequorum has no quorum: they count
// different votes, and an operator must not find two answers.
type Quorum struct {
	machines        []string
	membersByRing   map[ring.ID][]ring.NodeID // of each ring that was quorate
	currentRings    []ring.ID                 // the quorate ring of each machine; zero if there is none
	splitViolations []linearizability.Violation
	views           map[viewKey]node.QuorumView
	mismatches      []linearizability.Violation
	unexplained     []linearizability.Violation // only if no record can be missing
}

// viewKey is a ring as a machine saw it. A store may be behind: it was paused, and takes messages of an
// earlier ring.
type viewKey struct {
	machine env.MachineID
	ring    ring.ID
}

// quorumMismatch is the kind of a store that acknowledges without votequorum's quorum.
const quorumMismatch linearizability.Kind = "quorum-mismatch"

// NewQuorum makes the check.
func NewQuorum(c Cluster) *Quorum {
	return &Quorum{machines: c.Machines, membersByRing: map[ring.ID][]ring.NodeID{},
		currentRings: make([]ring.ID, len(c.Machines)), views: map[viewKey]node.QuorumView{}}
}

// Name implements check.Check.
func (*Quorum) Name() string { return "quorum" }

// Observe implements check.Observer: it takes a node's verdict on its ring.
func (q *Quorum) Observe(r scenarios.Stamped) {
	if w, is := r.Record.(store.Writable); is && w.Writable {
		q.onWritable(r, w)
	}
	view, is := r.Record.(node.QuorumView)
	if !is {
		return
	}
	q.views[viewKey{r.Machine, view.Ring}] = view
	q.currentRings[r.Machine] = ring.ID{}
	if !view.Quorate {
		return
	}
	q.currentRings[r.Machine] = view.Ring
	if q.membersByRing[view.Ring] == nil {
		q.membersByRing[view.Ring] = view.Members
	}
	for machine, id := range q.currentRings {
		members := q.membersByRing[id]
		if id.IsZero() || id == view.Ring || len(q.splitViolations) > 0 ||
			shareMember(members, view.Members) {
			continue
		}
		q.splitViolations = append(q.splitViolations,
			linearizability.Violation{Kind: linearizability.SplitBrain,
				Explain: fmt.Sprintf("at %v ring %v of nodes %v is quorate on %s "+
					"while ring %v of nodes %v is quorate on %s", r.At, view.Ring, view.Members,
					q.machines[r.Machine], id, members, q.machines[machine])})
	}
}

// onWritable compares a store that accepts changes with votequorum on its machine.
func (q *Quorum) onWritable(r scenarios.Stamped, w store.Writable) {
	view, decided := q.views[viewKey{r.Machine, w.Ring}]
	switch {
	case decided && view.Quorate:
	case decided:
		q.mismatches = appendFirst(q.mismatches, fmt.Sprintf("at %v the store of %s accepts changes in ring "+
			"%v, but votequorum has no quorum there: %d of %d expected votes, %d needed", r.At,
			q.machines[r.Machine], w.Ring, view.Votes, view.Expected, view.Quorum))
	default:
		q.unexplained = appendFirst(q.unexplained, fmt.Sprintf("at %v the store of %s accepts changes in "+
			"ring %v, on which votequorum has not decided", r.At, q.machines[r.Machine], w.Ring))
	}
}

// appendFirst keeps the first mismatch: the others of a run have the same cause.
func appendFirst(to []linearizability.Violation, explain string) []linearizability.Violation {
	if len(to) > 0 {
		return to
	}
	return append(to, linearizability.Violation{Kind: quorumMismatch, Explain: explain})
}

// shareMember reports whether two rings have a member in common.
func shareMember(a, b []ring.NodeID) bool {
	return slices.ContainsFunc(a, func(id ring.NodeID) bool { return slices.Contains(b, id) })
}

// Judge implements check.Check.
func (q *Quorum) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	violations := slices.Concat(q.splitViolations, q.mismatches)
	if !e.Incomplete {
		violations = append(violations, q.unexplained...)
	}
	return check.Verdict(q.Name(), violations,
		fmt.Sprintf("never two quorate partitions, in %d quorate rings",
			len(q.membersByRing)))
}
