package scenarios

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
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

// ServedByModel reports whether an operation was served as far as a model judges it: it succeeded, or the
// model judges its failure as something that the system found in its state. m may be nil.
func ServedByModel(m *linearizability.Model, op *history.Operation) bool {
	switch op.Outcome {
	case history.OK:
		return true
	case history.Fail:
		return m != nil && m.Role(op) != models.Ignored
	}
	return false
}

// CheckRecovery judges whether every machine serves after quiescence: it must answer every operation of its
// audit, and at least one of them with success. An answer that sends the client elsewhere, such as "no
// leader", is no service. A run without an audit is unknown.
func CheckRecovery(r *Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "recovery", Validity: linearizability.Valid}
	served, refused := map[env.MachineID]bool{}, map[env.MachineID]string{}
	for i := range r.Finals {
		f := &r.Finals[i]
		result, problem := r.finalResult(f)
		switch {
		case problem != "":
			v.Details = append(v.Details, fmt.Sprintf("%s %s", r.Scenario.Machines[f.Machine], problem))
		case result.Type == history.OK:
			served[f.Machine] = true
		default:
			refused[f.Machine] = fmt.Sprintf("%s: %s", f.Op.F, result.Error)
		}
	}
	unanswered := len(v.Details)
	for _, m := range slices.Sorted(maps.Keys(refused)) {
		if !served[m] {
			v.Details = append(v.Details, fmt.Sprintf("%s refuses every operation, the last one %s",
				r.Scenario.Machines[m], refused[m]))
		}
	}
	switch {
	case len(r.Finals) == 0:
		v.Validity = linearizability.Unknown
		v.Summary = "no machine was asked after quiescence"
	case unanswered > 0:
		v.Validity = linearizability.Invalid
		v.Summary = fmt.Sprintf("%d of %d final operations were not served: "+
			"the system did not recover within %v", unanswered, len(r.Finals), r.Scenario.Quiescence)
	case len(v.Details) > 0:
		v.Validity = linearizability.Invalid
		v.Summary = fmt.Sprintf("%s %v after the last fault", v.Details[0], r.Scenario.Quiescence)
	default:
		v.Summary = fmt.Sprintf("every machine served %v after the last fault", r.Scenario.Quiescence)
	}
	return v
}

// finalResult reads the answer to an operation of an audit. problem is why the machine does not serve; ""
// when it may.
func (r *Run) finalResult(f *Final) (result workload.Result, problem string) {
	if f.Err != nil {
		return result, fmt.Sprintf("did not answer %s: %v", f.Op.F, f.Err)
	}
	if r.Subject == nil {
		return workload.OK(), "" // a saved run that was read without its subject
	}
	result, err := r.Subject.Client().Decode(f.Op, f.Output)
	switch {
	case err != nil:
		problem = fmt.Sprintf("answers %s with something that cannot be read: %v", f.Op.F, err)
	case result.Elsewhere, result.Type == history.Info:
		problem = fmt.Sprintf("does not serve %s: %s", f.Op.F, result.Error)
	}
	return result, problem
}
