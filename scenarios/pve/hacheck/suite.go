package hacheck

import (
	"context"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Check is a check of the HA manager.
type Check = check.Check[*Evidence]

// Suite is a watch of checks over the evidence that it gathers.
type Suite struct {
	evidence    *Evidence
	orderChecks []Check // those that need the store's order
	otherChecks []Check
	observers   []check.Observer
}

// New makes the suite of all checks that a cluster asks for.
func New(c Cluster) *Suite {
	ordered := []Check{newExclusionCheck(c), takeovers{}, resets{}, newRepeatedCommandsCheck(c), recovery{},
		finalState{},
		liveness{}, newLeaveOrderCheck(c)}
	if c.HA.Fence != "" {
		ordered = append(ordered, fencing{})
	}
	others := []Check{newWatchdogCoverageCheck(c)}
	if c.HA.Moves != nil {
		others = append(others, newMoveCountCheck(c))
	}
	if c.HA.Operations != nil {
		others = append(others, requests{})
	}
	if len(c.HA.DownAtMost) > 0 {
		others = append(others, totalDowntime{})
	}
	return newSuite(c, ordered, others)
}

// newSuite makes a suite of some checks.
func newSuite(c Cluster, ordered, others []Check) *Suite {
	s := &Suite{evidence: newEvidence(c), orderChecks: ordered, otherChecks: others}
	for _, each := range slices.Concat(ordered, others) {
		if o, observes := each.(check.Observer); observes {
			s.observers = append(s.observers, o)
		}
	}
	return s
}

// Observe implements check.Observer.
func (s *Suite) Observe(r scenarios.Stamped) {
	s.evidence.Observe(r)
	for _, o := range s.observers {
		o.Observe(r)
	}
}

// Check judges the finished run. If the store's order could not be read, unreadable is the reason, and the
// checks that need the order become one unknown verdict.
func (s *Suite) Check(ctx context.Context, r *scenarios.Run, witness *linearizability.Witness,
	unreadable error) []linearizability.Verdict {
	e := s.evidence
	e.deriveAtEnd(r)
	var verdicts []linearizability.Verdict
	if unreadable != nil {
		verdicts = append(verdicts, check.Unknown("ha", unreadable))
	} else {
		e.readOrder(witness.Log())
		for _, c := range s.orderChecks {
			verdicts = append(verdicts, c.Judge(ctx, e))
		}
	}
	for _, c := range s.otherChecks {
		verdicts = append(verdicts, c.Judge(ctx, e))
	}
	return verdicts
}
