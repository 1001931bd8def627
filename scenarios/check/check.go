package check

import (
	"context"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Check judges one property of a run. E is the evidence that the checks of a subject share; for checks
// that need nothing but the run it is *scenarios.Run.
//
// A check that needs records of its own, beyond the shared evidence, also implements [Observer].
type Check[E any] interface {
	// Name is the checker's name in verdicts, in kebab-case.
	Name() string
	// Judge returns the verdict on the finished run. It is called once, after the last record.
	Judge(ctx context.Context, evidence E) linearizability.Verdict
}

// Observer sees the records of a run in their order, during the run.
type Observer interface {
	// Observe is called with every record of the run, so it must return quickly for records that it ignores.
	Observe(r scenarios.Stamped)
}

// Watch implements scenarios.Watch with checks over shared evidence.
type Watch[E any] struct {
	gatherEvidence func(*scenarios.Run) E
	checks         []Check[E]
	observers      []Observer
}

// NewWatch makes a watch of checks, which judge in the order given. gather makes the evidence of the
// finished run and is called once. Checks that are Observers see every record.
func NewWatch[E any](gather func(*scenarios.Run) E, checks ...Check[E]) *Watch[E] {
	w := &Watch[E]{gatherEvidence: gather, checks: checks}
	for _, c := range checks {
		if o, ok := c.(Observer); ok {
			w.observers = append(w.observers, o)
		}
	}
	return w
}

// Also adds observers that are no checks: the parts of the evidence. They see a record after the checks.
func (w *Watch[E]) Also(observers ...Observer) *Watch[E] {
	w.observers = append(w.observers, observers...)
	return w
}

// Observe implements Observer.
func (w *Watch[E]) Observe(r scenarios.Stamped) {
	for _, o := range w.observers {
		o.Observe(r)
	}
}

// Record implements scenarios.Watch. It never stops a run.
func (w *Watch[E]) Record(r scenarios.Stamped) error {
	w.Observe(r)
	return nil
}

// Check implements scenarios.Watch: one verdict for each check, in the order of the checks.
func (w *Watch[E]) Check(ctx context.Context, r *scenarios.Run) []linearizability.Verdict {
	evidence := w.gatherEvidence(r)
	verdicts := make([]linearizability.Verdict, len(w.checks))
	for i, c := range w.checks {
		verdicts[i] = c.Judge(ctx, evidence)
	}
	return verdicts
}

// OfRun gathers the evidence of checks that need only the run.
func OfRun(r *scenarios.Run) *scenarios.Run { return r }

// Verdict is valid with a summary when there are no violations. Otherwise it is invalid, and the first
// violation explains why.
func Verdict(checker string, violations []linearizability.Violation, summary string) linearizability.Verdict {
	if len(violations) == 0 {
		return linearizability.Verdict{Checker: checker, Validity: linearizability.Valid, Summary: summary}
	}
	return linearizability.Verdict{Checker: checker, Validity: linearizability.Invalid,
		Summary: violations[0].Explain, Violations: violations}
}

// Unknown is the verdict of a check that could not be made.
func Unknown(checker string, err error) linearizability.Verdict {
	return linearizability.Verdict{Checker: checker, Validity: linearizability.Unknown, Summary: err.Error()}
}
