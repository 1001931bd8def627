package storecheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// RingVotes checks that votequorum decides on every ring that lasts, and by the votes of its members: the
// sum of their votes against a majority of the expected ones, counted here anew.
type RingVotes struct {
	Cluster
	current   []memberRing // by machine
	undecided []memberRing // that ended without a decision
	wrong     []linearizability.Violation
	decided   int
}

// memberRing is a ring that a machine has installed; zero when it is in none.
type memberRing struct {
	machine env.MachineID
	id      ring.ID
	members []ring.NodeID
	since   time.Duration
	until   time.Duration // set when it has ended
	decided bool
}

// Kinds of violations of votequorum.
const (
	// UndecidedRing is a ring without a decision on its quorum.
	UndecidedRing linearizability.Kind = "undecided-ring"
	// WrongQuorum is a decision that the votes of the ring's members contradict.
	WrongQuorum linearizability.Kind = "wrong-quorum"
)

// decideWithin is how long votequorum may take to decide on a ring: its members exchange their votes in at
// most two rotations of the token, each of which takes less than the time after which the token is missed.
func (c *Cluster) decideWithin() time.Duration { return 2 * c.Token }

// NewRingVotes makes the check.
func NewRingVotes(c Cluster) *RingVotes {
	return &RingVotes{Cluster: c, current: make([]memberRing, len(c.Machines))}
}

// Name implements check.Check.
func (*RingVotes) Name() string { return "ring-votes" }

// Observe implements check.Observer.
func (v *RingVotes) Observe(r scenarios.Stamped) {
	if int(r.Machine) >= len(v.current) || r.Machine < 0 {
		return
	}
	switch rec := r.Record.(type) {
	case totem.Membership:
		if rec.Kind == cpg.Regular {
			v.onRingChange(r.Machine, memberRing{machine: r.Machine, id: rec.Ring, members: rec.Members,
				since: r.At}, r.At)
		}
	case totem.StateChange:
		if rec.From == totem.Operational {
			v.onRingChange(r.Machine, memberRing{}, r.At) // it looks for another ring
		}
	case totem.Started, scenarios.Power:
		v.onRingChange(r.Machine, memberRing{}, r.At)
	case node.QuorumView:
		v.onDecision(r, rec)
	}
}

// onRingChange notes that a machine has left its ring for another one or for none.
func (v *RingVotes) onRingChange(m env.MachineID, next memberRing, at time.Duration) {
	if was := v.current[m]; !was.id.IsZero() && !was.decided {
		was.until = at
		v.undecided = append(v.undecided, was)
	}
	v.current[m] = next
}

// onDecision compares a decision with the votes.
func (v *RingVotes) onDecision(r scenarios.Stamped, view node.QuorumView) {
	var votes, all uint32
	for m, id := range v.Nodes {
		all += v.Votes[m]
		if slices.Contains(view.Members, id) {
			votes += v.Votes[m]
		}
	}
	expected := max(all, v.ExpectedVotes)
	majority := 2*votes > expected
	current := &v.current[r.Machine]
	problem := ""
	switch {
	case view.Quorate != majority || view.Votes != votes || view.Expected != expected:
		problem = fmt.Sprintf("the votes of these nodes are %d of %d", votes, expected)
	case current.id == view.Ring && !slices.Equal(current.members, view.Members):
		problem = fmt.Sprintf("its members are nodes %v", current.members)
	}
	if problem != "" && len(v.wrong) == 0 {
		v.wrong = append(v.wrong, linearizability.Violation{Kind: WrongQuorum, Explain: fmt.Sprintf("at %v "+
			"votequorum of %s decides on ring %v of nodes %v: quorate %v, %d of %d votes, but %s", r.At,
			v.Machines[r.Machine], view.Ring, view.Members, view.Quorate, view.Votes, view.Expected,
			problem)})
	}
	v.decided++
	if current.id == view.Ring {
		current.decided = true
	}
}

// Judge implements check.Check.
func (v *RingVotes) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	for m := range v.current {
		v.onRingChange(env.MachineID(m), memberRing{}, e.Run.Duration)
	}
	violations := v.wrong
	faults := check.Faults{Machines: v.Machines, Applied: e.Run.Applied, End: e.Run.Duration}
	within := e.Run.Timescale.Of(v.decideWithin())
	for _, one := range v.undecided {
		decideBy := one.since + within
		if e.Incomplete || one.until < decideBy ||
			v.mayBeDelayed(&faults, check.Span{From: one.since, To: decideBy}) {
			continue
		}
		violations = append(violations, linearizability.Violation{Kind: UndecidedRing, Explain: fmt.Sprintf(
			"%s installed ring %v of nodes %v at %v, and votequorum decided nothing on it within %v",
			v.Machines[one.machine], one.id, one.members, one.since, within)})
		break // the others of a run have the same cause
	}
	summary := fmt.Sprintf("%d decisions on rings, each by the votes of the members", v.decided)
	if !e.Incomplete {
		summary += fmt.Sprintf("; no ring lasted %v without one", within)
	}
	return check.Verdict(v.Name(), violations, summary)
}

// mayBeDelayed reports whether a fault acted in a span that may delay a decision, or end the ring before its
// members notice: all but partitions and lost power, and these too if they begin or end in it.
func (v *RingVotes) mayBeDelayed(f *check.Faults, during check.Span) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		begins, ends := a.Begun[0], f.EndOf(&a)
		if during.Contains(begins) || during.Contains(ends) {
			return true
		}
		switch a.Fault.Kind {
		case fault.Partition, fault.PowerCut, fault.PowerOn:
			return false
		}
		return begins < during.To && ends > during.From
	})
}
