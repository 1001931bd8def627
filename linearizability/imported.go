package linearizability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/history/formats"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// ErrInitial reports an initial state for a check that has none.
var ErrInitial = errors.New("this check takes no initial state")

// registerName is the model whose rules differ between formats.
const registerName = "register"

// check judges a history that came from a file, by the rules of its format.
func (h *History) check(ctx context.Context, modelName string, o *options, opts []Option) (*Report, error) {
	report, err := h.judge(ctx, modelName, o, opts)
	if err != nil {
		return nil, err
	}
	if h.Import.ByTime != nil {
		byTime := *h
		byTime.Ops = h.Import.ByTime
		second, err := byTime.judge(ctx, modelName, o, opts)
		if err != nil {
			return nil, err
		}
		report.requireAgreement(second)
	}
	report.limitToProvable(h)
	report.notes = append(append([]string(nil), h.Import.Notes...), report.notes...)
	return report, nil
}

// requireAgreement keeps a verdict only if the other order of the events gives the same one.
func (report *Report) requireAgreement(byTime *Report) {
	if report.Validity != byTime.Validity {
		report.makeUndecided(fmt.Sprintf("by the positions in the file the history is %s, and by its times, "+
			"which run backwards, it is %s", report.Validity, byTime.Validity))
	}
}

// limitToProvable takes back what a history that is not whole cannot prove.
func (report *Report) limitToProvable(h *History) {
	switch {
	case h.Import.Missing != "":
		report.makeUndecided("operations are missing: " + h.Import.Missing)
	case h.Import.Torn == "":
	case report.Validity == Valid:
		report.makeUndecided("the end of the history is missing: " + h.Import.Torn)
	case report.Validity == Invalid && h.Witness != nil:
		report.makeUndecided("the end of the history is missing, so the witness has writes that the " +
			"history lacks: " + h.Import.Torn)
	default:
		report.notes = append(report.notes, "the end of the history is missing: "+h.Import.Torn)
	}
}

// makeUndecided makes the verdict unknown. What was found stays in the notes.
func (report *Report) makeUndecided(reason string) {
	if len(report.Violations) > 0 {
		report.notes = append(report.notes, "otherwise: "+report.Violations[0].Explain)
	}
	report.Validity, report.Reason, report.Violations, report.summary = Unknown, reason, nil, ""
}

// judge judges one order of the operations.
func (h *History) judge(ctx context.Context, modelName string, o *options, opts []Option) (*Report, error) {
	initial := h.Header.Initial
	if o.initial != nil {
		initial = o.initial
	}
	if o.consistency != "" && !IsTransactional(modelName) {
		return nil, fmt.Errorf("model %s: %w; name one of %v", modelName, ErrNotTransactions, txn.Kinds())
	}
	check, err := intervalCheck(modelName, initial)
	if err != nil {
		return nil, err
	}
	takesNone := IsTransactional(modelName) || check != nil && modelName != LeaseModel
	if takesNone && o.initial != nil || o.anyInitial && (takesNone || check != nil) {
		return nil, fmt.Errorf("%w: %s", ErrInitial, modelName)
	}
	switch {
	case check != nil:
		return reportOf(check(h.Ops), len(h.Ops)), nil
	case IsTransactional(modelName):
		return CheckTransactions(ctx, txn.Kind(modelName), h.Ops, opts...)
	}
	m, err := modelByName(modelName, initial)
	if err != nil {
		return nil, err
	}
	started := *h
	var notes []string
	started.Ops, notes = h.informativeOperations(m, o.failed)
	started.AnyStart = h.AnyStart || o.anyInitial
	report, err := Check(ctx, m, &started, opts...)
	if err != nil {
		return nil, err
	}
	switch {
	case o.anyInitial:
		notes = append(notes, "initial state: any")
	case initial != nil:
		notes = append(notes, fmt.Sprintf("initial state: %.60s", initial))
	case h.Import.OpenStart && m.Name == registerName:
		notes = append(notes, "initial state: null, as in Knossos, because none was given")
		if report.Validity == Invalid {
			if err := report.requireInitialState(ctx, m, h, &started, opts); err != nil {
				return nil, err
			}
		}
	}
	report.Stats.Operations = len(h.Ops)
	if len(started.Ops) == 0 && len(h.Ops) > 0 {
		report.judgeSilence(m, h.Ops)
	}
	report.notes = append(notes, report.notes...)
	return report, nil
}

// judgeSilence judges a history in which no operation says anything. If every call of it is one that the
// model knows and that failed, then nothing happened, and that is right; Knossos judges so.
func (report *Report) judgeSilence(m *Model, ops []history.Operation) {
	for i := range ops {
		if ops[i].Outcome != history.Fail || !m.Knows(&ops[i]) {
			report.Validity = Unknown
			report.Reason = "no operation says anything about the state, so nothing was checked"
			return
		}
	}
	report.Validity, report.Reason, report.Stats.Checked = Valid, "", len(ops)
}

// requireInitialState makes the verdict unknown if registers that begin with other values explain the
// history: the format does not tell their values, and no option did. A value that a failed call tried to
// write is taken for that of the call. started has the operations of the whole history that say something.
func (report *Report) requireInitialState(ctx context.Context, m *Model, whole, started *History,
	opts []Option) error {
	if whole.hasAbortedRead(report.Violations) {
		return nil
	}
	free := *started
	free.AnyStart = true
	other, err := Check(ctx, m, &free, opts...)
	if err != nil {
		return err
	}
	if other.Validity != Invalid {
		report.makeUndecided("no order explains registers that begin as null, and one may explain " +
			"registers that begin with a value; give the value that they begin with (--initial)")
	}
	return nil
}

// hasAbortedRead reports whether a read among the violations returned what a failed call tried to write.
func (h *History) hasAbortedRead(violations []Violation) bool {
	type object struct{ key, value string }
	failed := make(map[object]bool)
	for i := range h.Ops {
		op := &h.Ops[i]
		value := op.Input
		var pair []json.RawMessage
		if op.F == models.FCAS && json.Unmarshal(value, &pair) == nil && len(pair) == 2 {
			value = pair[1]
		}
		if op.Outcome == history.Fail && len(value) > 0 {
			failed[object{op.Key, string(value)}] = true
		}
	}
	for i := range violations {
		for _, op := range violations[i].Ops {
			if op.F == models.FRead && failed[object{op.Key, string(op.Output)}] {
				return true
			}
		}
	}
	return false
}

// informativeOperations returns the operations that say something by the rules of the format, of what
// failed calls and reads of nil mean, and notes about them.
func (h *History) informativeOperations(m *Model, failed formats.FailureMeaning) (
	ops []history.Operation, notes []string) {
	if failed == formats.FailedByFormat {
		failed = h.Import.Failed
	}
	freeNil := h.Import.FreeNil && m.Name == registerName
	fails, nils, dropped := 0, 0, 0
	drops := func(op *history.Operation) bool {
		return failed == formats.DidNotHappen && op.Outcome == history.Fail || freeNil && isNilRead(op)
	}
	for i := range h.Ops {
		op := &h.Ops[i]
		switch {
		case op.Outcome == history.Fail:
			fails++
		case isNilRead(op):
			nils++
		}
		if drops(op) {
			dropped++
		}
	}
	if fails > 0 {
		meaning := "say nothing about the state (did-not-happen)"
		if failed == formats.Observed {
			meaning = "count as observations where the model knows their error (observed)"
		}
		notes = append(notes, fmt.Sprintf("failed calls: %d, which %s", fails, meaning))
	}
	if freeNil && nils > 0 {
		notes = append(notes, fmt.Sprintf("reads of nil: %d, which say nothing, as in Knossos", nils))
	}
	if dropped == 0 {
		return h.Ops, notes
	}
	ops = make([]history.Operation, 0, len(h.Ops)-dropped)
	for i := range h.Ops {
		if !drops(&h.Ops[i]) {
			ops = append(ops, h.Ops[i])
		}
	}
	return ops, notes
}

func isNilRead(op *history.Operation) bool {
	return op.Outcome == history.OK && op.F == models.FRead && len(op.Output) == 0
}
