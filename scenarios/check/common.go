package check

import (
	"context"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// funcCheck is a check that is one function.
type funcCheck[E any] struct {
	name  string
	judge func(context.Context, E) linearizability.Verdict
}

// Func makes a check of a function. The verdict's checker is the check's name.
func Func[E any](name string, judge func(ctx context.Context, evidence E) linearizability.Verdict) Check[E] {
	return funcCheck[E]{name, judge}
}

// Name implements Check.
func (f funcCheck[E]) Name() string { return f.name }

// Judge implements Check.
func (f funcCheck[E]) Judge(ctx context.Context, evidence E) linearizability.Verdict {
	v := f.judge(ctx, evidence)
	v.Checker = f.name
	return v
}

// History judges the clients' history by a model, as [scenarios.CheckHistory] does without a witness.
func History(model *linearizability.Model) Check[*scenarios.Run] {
	return Func(model.Name, func(ctx context.Context, r *scenarios.Run) linearizability.Verdict {
		return scenarios.CheckHistory(ctx, r, model, nil)
	})
}

// Recovery judges whether every machine answered after quiescence, as [scenarios.CheckRecovery] does.
func Recovery() Check[*scenarios.Run] {
	return Func("recovery", func(_ context.Context, r *scenarios.Run) linearizability.Verdict {
		return scenarios.CheckRecovery(r)
	})
}
