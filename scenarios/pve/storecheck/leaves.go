package storecheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Leaves checks orderly stops: a store answers nothing from the order after it has ended its part in the
// ring, and the other members form a ring without the node at once, not after they have missed its token.
// The second part is required only in the simulator, and only where nothing else can have delayed them.
type Leaves struct {
	machines    []string
	nodes       []ring.NodeID
	memberships []totem.Membership // by machine: the last regular one
	leaves      []leave
	leftLast    []int // by machine: the index of its last leave plus one, 0 once it is back
	violations  []linearizability.Violation
}

// leave is one node's orderly end.
type leave struct {
	at      time.Duration
	machine int
	// waiting are the machines that were in the same ring and have not formed one without the node yet, and
	// lastAt is when the last one has.
	waiting []int
	lastAt  time.Duration
	excused bool // a member ended or left as well before it had formed a ring
}

// Kinds of violations of orderly stops.
const (
	// AnswerAfterLeave is an answer of a store that had ended its part in the ring.
	AnswerAfterLeave linearizability.Kind = "answer-after-leave"
	// MissedLeave is a node that left in order and whose absence the others noticed only by a time-out.
	MissedLeave linearizability.Kind = "leave-missed"
)

const (
	// maxLeaveTime is how long the others may take to form a ring without a node that has left: some rounds
	// of messages and one write to a disk. It is less than every usual token timeout.
	maxLeaveTime = 800 * time.Millisecond
	// settleTime is how long before a leave nothing else may have happened to its ring.
	settleTime = 30 * time.Second
	// maxLeaveLatency is the latency of a network on which maxLeaveTime is enough.
	maxLeaveLatency = 20 * time.Millisecond
)

// NewLeaves makes the check.
func NewLeaves(c Cluster) *Leaves {
	return &Leaves{machines: c.Machines, nodes: c.Nodes, leftLast: make([]int, len(c.Machines)),
		memberships: make([]totem.Membership, len(c.Machines))}
}

// Name implements check.Check.
func (*Leaves) Name() string { return "leaves" }

// Observe implements check.Observer.
func (l *Leaves) Observe(r scenarios.Stamped) {
	m := int(r.Machine)
	switch rec := r.Record.(type) {
	case totem.Membership:
		if rec.Kind == cpg.Regular {
			l.memberships[m] = rec
			l.onRing(m, rec.Members, r.At)
		}
	case store.Left:
		l.onLeft(m, rec, r.At)
	case store.Opened, store.Installed:
		l.leftLast[m] = 0
	case store.Acknowledged:
		l.onAnswer(m, rec.Request, r.At)
	case store.Answered:
		if !rec.Local && isFromTheOrder(rec.Code) {
			l.onAnswer(m, rec.Request, r.At)
		}
	case scenarios.Power:
		l.excuse(m)
	case totem.Started:
		l.excuse(m)
	}
}

// onLeft notes a leave, and which machines must notice it.
func (l *Leaves) onLeft(m int, rec store.Left, at time.Duration) {
	l.excuse(m)
	one := leave{at: at, machine: m, excused: l.memberships[m].Ring != rec.Ring}
	for k := range l.machines {
		if k != m && l.memberships[k].Ring == rec.Ring && slices.Contains(rec.Members, l.nodes[k]) {
			one.waiting = append(one.waiting, k)
		}
	}
	l.leaves = append(l.leaves, one)
	l.leftLast[m] = len(l.leaves)
}

// onRing notes that a machine has formed a ring.
func (l *Leaves) onRing(m int, members []ring.NodeID, at time.Duration) {
	for i := range l.leaves {
		one := &l.leaves[i]
		if k := slices.Index(one.waiting, m); k >= 0 && !slices.Contains(members, l.nodes[one.machine]) {
			one.waiting, one.lastAt = slices.Delete(one.waiting, k, k+1), at
		}
	}
}

// excuse notes that a machine or its node ended or began: it need not notice earlier leaves.
func (l *Leaves) excuse(m int) {
	for i := range l.leaves {
		if slices.Contains(l.leaves[i].waiting, m) {
			l.leaves[i].excused = true
		}
	}
}

// onAnswer takes an answer from the order: a node that has left gives none.
func (l *Leaves) onAnswer(m int, request string, at time.Duration) {
	if l.leftLast[m] == 0 || len(l.violations) > 0 {
		return
	}
	l.violations = append(l.violations, linearizability.Violation{Kind: AnswerAfterLeave,
		Explain: fmt.Sprintf("%s answers %s at %v, although its store has ended its part in the ring at %v",
			l.machines[m], request, at, l.leaves[l.leftLast[m]-1].at)})
}

// Judge implements check.Check.
func (l *Leaves) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	noticed := 0
	faults := check.Faults{Machines: l.machines, Applied: e.Run.Applied, End: e.Run.Duration}
	n := e.Run.Scenario.Network
	undisturbed := e.Run.Backend == simulated && n.Loss == 0 && n.Latency+n.Jitter <= maxLeaveLatency
	for _, one := range l.leaves {
		late := len(one.waiting) > 0 || one.lastAt-one.at > maxLeaveTime
		switch {
		case !late:
			noticed++
		case !undisturbed || one.excused || one.at+maxLeaveTime > e.Run.Duration ||
			faults.AnyActed(one.at-settleTime, one.at+maxLeaveTime):
		default:
			l.violations = append(l.violations, linearizability.Violation{Kind: MissedLeave,
				Explain: fmt.Sprintf("%s left its ring in order at %v, and the others did not form one "+
					"without it within %v", l.machines[one.machine], one.at, maxLeaveTime)})
		}
	}
	summary := "no node left its ring in order"
	if len(l.leaves) > 0 {
		summary = fmt.Sprintf("%d nodes left their rings in order, and answered nothing from then on; %d "+
			"were noticed within %v", len(l.leaves), noticed, maxLeaveTime)
	}
	return check.Verdict(l.Name(), l.violations, summary)
}
