package scenarios

import (
	"context"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// CheckHistory judges the clients' history by a model and, where w is not nil, by the system's own log.
// It sets r.Picture when the history is invalid, so that a report can draw the violation together with
// the faults. A history that the model cannot read is unknown, never valid.
func CheckHistory(ctx context.Context, r *Run, m *linearizability.Model,
	w *linearizability.Witness) linearizability.Verdict {
	undecided := func(err error) linearizability.Verdict {
		return linearizability.Verdict{Checker: m.Name, Validity: linearizability.Unknown,
			Summary: err.Error()}
	}
	ops, err := history.Operations(r.Events)
	if err != nil {
		return undecided(err)
	}
	report, err := linearizability.Check(ctx, m, &linearizability.History{Ops: ops, Witness: w},
		linearizability.WithAnnotations(faultAnnotations(r)...))
	if err != nil {
		return undecided(err)
	}
	if report.Validity == linearizability.Invalid {
		r.Picture = report.WriteHTML
	}
	return report.Verdict()
}

// faultAnnotations returns the faults of a run, for the picture of a violation.
func faultAnnotations(r *Run) []linearizability.Annotation {
	list := make([]linearizability.Annotation, 0, len(r.Applied))
	for _, a := range r.Applied {
		end := a.Ended[1]
		if end == 0 {
			end = r.Duration
		}
		list = append(list, linearizability.Annotation{Tag: "faults", Text: string(a.Fault.Kind),
			Details: fmt.Sprint(a.Fault.Machines, a.Fault.Groups, a.Fault.From, a.Fault.To),
			Start:   int64(a.Begun[0]), End: int64(end)})
	}
	return list
}

// CheckRecovery judges whether every machine answered its final questions after quiescence. Any answer
// counts, also a refusal. A run without final operations is unknown.
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
		v.Summary = fmt.Sprintf("%d of %d final questions were not answered: "+
			"the system did not recover within %v", silent, len(r.Finals), r.Scenario.Quiescence)
	case len(r.Finals) == 0:
		v.Validity = linearizability.Unknown
		v.Summary = "no machine was asked after quiescence"
	default:
		v.Summary = fmt.Sprintf("every machine served %v after the last fault", r.Scenario.Quiescence)
	}
	return v
}
