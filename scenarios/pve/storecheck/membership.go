package storecheck

import (
	"context"

	"github.com/holdfast-sim/holdfast/engine/totem/evs"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// membership checks extended virtual synchrony of every node.
type membership struct{ evsChecker *evs.Checker }

func newMembership() membership { return membership{evs.New()} }

// Name implements check.Check.
func (membership) Name() string { return "membership" }

// Observe implements check.Observer.
func (m membership) Observe(r scenarios.Stamped) { m.evsChecker.Observe(r.Machine, r.Record) }

// Judge implements check.Check.
func (m membership) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	if e.Incomplete {
		m.evsChecker.AllowMissingTail()
	}
	v := linearizability.Verdict{Checker: m.Name(), Validity: linearizability.Valid,
		Summary: "total order within each ring; virtual synchrony across ring changes"}
	for _, breach := range m.evsChecker.Finish() {
		if v.Validity == linearizability.Valid {
			v.Validity, v.Summary = linearizability.Invalid, breach.Error()
			continue
		}
		v.Details = append(v.Details, breach.Error())
	}
	return v
}
