package scenarios

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
)

// MajorityReaches says whether more than half of the machines are up and reach each other, both
// ways and directly: the damage that a system built on majorities must survive.
func MajorityReaches(d Damage) bool {
	return largestClique(d, nil, 0) > d.Machines/2
}

// largestClique is the size of the largest set of machines that are up and reach each other,
// among those from next on that fit to the chosen ones.
func largestClique(d Damage, chosen []env.MachineID, next env.MachineID) int {
	best := len(chosen)
	for m := next; int(m) < d.Machines; m++ {
		if best >= len(chosen)+d.Machines-int(m) {
			break // too few are left to be better
		}
		if !isDown(d, m) && reachesAll(d, chosen, m) {
			best = max(best, largestClique(d, append(chosen[:len(chosen):len(chosen)], m), m+1))
		}
	}
	return best
}

func isDown(d Damage, m env.MachineID) bool {
	for _, down := range d.Down {
		if down == m {
			return true
		}
	}
	return false
}

func reachesAll(d Damage, chosen []env.MachineID, m env.MachineID) bool {
	for _, c := range chosen {
		if !d.Reaches(c, m) || !d.Reaches(m, c) {
			return false
		}
	}
	return true
}

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
