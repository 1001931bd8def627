package storecheck

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// FinalDigest is the question after quiescence whose answers checkTrees compares.
const FinalDigest = store.OpDigest

// checkRecovery checks that every machine serves linearizable reads after quiescence.
type checkRecovery struct{ Cluster }

// Name implements check.Check.
func (checkRecovery) Name() string { return "recovery" }

// Judge implements check.Check.
func (c checkRecovery) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	v := scenarios.CheckRecovery(e.Run)
	if v.Validity != linearizability.Valid {
		return v
	}
	for _, f := range e.Run.Finals {
		answer, err := store.DecodeResponse(f.Output)
		name := c.Machines[f.Machine]
		switch {
		case err != nil:
			v.Summary = fmt.Sprintf("%s answers %s with something that cannot be read: %v", name, f.Op.F, err)
		case !answer.OK && answer.Code != tree.NotFound:
			v.Summary = fmt.Sprintf("%s does not serve %v after the last fault: %s: %s", name,
				e.Run.Scenario.Quiescence, answer.Code, answer.Message)
		default:
			continue
		}
		v.Validity, v.Details = linearizability.Invalid, append(v.Details, string(f.Output))
		return v
	}
	return v
}

// checkTrees checks that machines that end at the same revision hold the same tree.
type checkTrees struct{ Cluster }

// Name implements check.Check.
func (checkTrees) Name() string { return "trees" }

// Judge implements check.Check. It is unknown when no machine answered with its digest.
func (c checkTrees) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	v := linearizability.Verdict{Checker: c.Name(), Validity: linearizability.Unknown,
		Summary: "no machine reported the digest of its tree"}
	first := map[uint64]scenarios.Final{} // by revision
	for _, f := range e.Run.Finals {
		if f.Op.F != FinalDigest || f.Err != nil {
			continue
		}
		answer, err := store.DecodeResponse(f.Output)
		if err != nil || !answer.OK {
			continue // checkRecovery reports it
		}
		other, seen := first[answer.Revision]
		if !seen {
			first[answer.Revision] = f
			if v.Validity == linearizability.Unknown {
				v.Validity = linearizability.Valid
				v.Summary = fmt.Sprintf("equal trees at revision %d", answer.Revision)
			}
			continue
		}
		before, err := store.DecodeResponse(other.Output)
		if err == nil && (before.Digest != answer.Digest || before.Chain != answer.Chain) {
			v.Validity = linearizability.Invalid
			v.Summary = fmt.Sprintf("%s and %s hold different trees at revision %d",
				c.Machines[other.Machine], c.Machines[f.Machine], answer.Revision)
			return v
		}
	}
	return v
}
