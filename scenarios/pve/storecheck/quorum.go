package storecheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Quorum checks that no two partitions are quorate at the same time.
//
// Two quorate rings that share a member are no split: the member has left one of them, and the other
// members there do not know yet. They can acknowledge nothing that needs its vote.
type Quorum struct {
	machines        []string
	membersByRing   map[ring.ID][]ring.NodeID // of each ring that was quorate
	currentRings    []ring.ID                 // the quorate ring of each machine; zero if there is none
	splitViolations []linearizability.Violation
}

// NewQuorum makes the check.
func NewQuorum(c Cluster) *Quorum {
	return &Quorum{machines: c.Machines, membersByRing: map[ring.ID][]ring.NodeID{},
		currentRings: make([]ring.ID, len(c.Machines))}
}

// Name implements check.Check.
func (*Quorum) Name() string { return "quorum" }

// Observe implements check.Observer: it takes a node's verdict on its ring.
func (q *Quorum) Observe(r scenarios.Stamped) {
	view, is := r.Record.(node.QuorumView)
	if !is {
		return
	}
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

// shareMember reports whether two rings have a member in common.
func shareMember(a, b []ring.NodeID) bool {
	return slices.ContainsFunc(a, func(id ring.NodeID) bool { return slices.Contains(b, id) })
}

// Judge implements check.Check.
func (q *Quorum) Judge(context.Context, *Evidence) linearizability.Verdict {
	return check.Verdict(q.Name(), q.splitViolations,
		fmt.Sprintf("never two quorate partitions, in %d quorate rings",
			len(q.membersByRing)))
}
