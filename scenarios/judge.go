package scenarios

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// CheckRecovery judges whether every machine answered after quiescence.
func CheckRecovery(r *Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "recovery", Validity: linearizability.Valid}
	silent := 0
	for _, f := range r.Finals {
		if f.Err != nil {
			silent++
			v.Details = append(v.Details, fmt.Sprintf("%s did not answer %s: %v",
				r.Scenario.Machines[f.Machine], f.Op.F, f.Err))
		}
	}
	switch {
	case silent > 0:
		v.Validity = linearizability.Invalid
		v.Summary = fmt.Sprintf("%d of %d final questions were not answered: the system did not recover within %v",
			silent, len(r.Finals), r.Scenario.Quiescence)
	case len(r.Finals) == 0:
		v.Validity = linearizability.Unknown
		v.Summary = "no machine was asked after quiescence"
	default:
		v.Summary = fmt.Sprintf("every machine served %v after the last fault", r.Scenario.Quiescence)
	}
	return v
}
