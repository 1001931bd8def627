package linearizability

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// ByDependencies means that a graph of dependencies between transactions was searched for cycles.
const ByDependencies Method = "dependencies"

// IsTransactional reports whether a name of [ModelNames] stands for a check of transactions, which takes
// [WithConsistency].
func IsTransactional(modelName string) bool {
	return slices.Contains(txn.Kinds(), txn.Kind(modelName))
}

// ErrNotTransactions reports a consistency model for a history whose model is not one of transactions.
var ErrNotTransactions = errors.New("a consistency model is for histories of transactions")

// ConsistencyNames lists what [WithConsistency] takes, from weak to strong.
func ConsistencyNames() []string {
	var names []string
	for _, model := range txn.ConsistencyModels() {
		names = append(names, string(model))
	}
	return names
}

// CheckTransactions judges histories of transactions as [txn.Check] does, and returns its report in the
// common form: forbidden anomalies are violations, allowed ones are details of the verdict.
func CheckTransactions(ctx context.Context, kind txn.Kind, ops []history.Operation, opts ...Option) (*Report,
	error) {
	start := time.Now()
	o := newOptions(opts)
	chosen := []txn.Option{txn.WithTimeout(o.timeout)}
	if o.consistency != "" {
		chosen = append(chosen, txn.WithConsistency(txn.Consistency(o.consistency)))
	}
	found, err := txn.Check(ctx, kind, ops, chosen...)
	if err != nil {
		return nil, err
	}
	report := &Report{Model: string(kind), Method: ByDependencies, summary: found.Summary(),
		Stats: Stats{Operations: len(ops), Checked: found.Stats.Transactions}}
	for i := range found.Forbidden {
		report.Violations = append(report.Violations, violationOf(&found.Forbidden[i]))
	}
	for a, n := range found.Counts {
		if found.Consistency.Forbids(a) {
			report.Stats.Dropped += n
		}
	}
	report.Stats.Dropped -= len(report.Violations)
	report.notes = transactionNotes(found)
	switch {
	case len(found.Forbidden) > 0:
		report.Validity = Invalid
	case len(found.Undecided) > 0:
		report.Reason = found.Summary()
	default:
		report.Validity = Valid
	}
	report.Stats.Elapsed = elapsed(start)
	return report, nil
}

func violationOf(f *txn.Finding) Violation {
	v := Violation{Kind: Kind(f.Anomaly), Explain: f.Explain, Ops: f.Ops}
	if f.Cycle != nil {
		v.Drawing = f.Cycle.Text()
	}
	return v
}

// transactionNotes are the details of a verdict about transactions.
func transactionNotes(found *txn.Report) []string {
	notes := []string{fmt.Sprintf("consistency model: %s", found.Consistency)}
	if ruled := found.RuledOut(); ruled != "" {
		notes = append(notes, ruled)
	}
	for i := range found.Allowed {
		f := &found.Allowed[i]
		notes = append(notes, fmt.Sprintf("allowed by %s: %s: %s", found.Consistency, f.Anomaly, f.Explain))
	}
	for _, reason := range found.Undecided {
		notes = append(notes, "not decided: "+reason)
	}
	return append(notes, found.Details...)
}
