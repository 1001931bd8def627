package linearizability

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

// foreignOperations is what a history has of functions that the checker does not know. Such an operation
// may have changed anything, so the history is never valid; and it may explain any answer that was given
// after its call, so only what happened before that can be invalid for certain.
type foreignOperations struct {
	count map[string]int
	total int
	// first is when the first of them was called that may have taken effect; math.MaxInt64 without any.
	first int64
	model *Model
}

// add counts an operation.
func (f *foreignOperations) add(op *history.Operation) {
	if f.count == nil {
		f.count, f.first = make(map[string]int), math.MaxInt64
	}
	f.count[op.F]++
	f.total++
	if op.Outcome != history.Fail {
		f.first = min(f.first, op.Call)
	}
}

// foreignTo counts the operations of functions that a model does not know.
func foreignTo(m *Model, ops []history.Operation) foreignOperations {
	f := foreignOperations{model: m}
	for i := range ops {
		if m.Role(&ops[i]) == models.Ignored {
			f.addIgnored(&ops[i])
		}
	}
	return f
}

// addIgnored counts an operation that the model ignores if it does not know its function.
func (f *foreignOperations) addIgnored(op *history.Operation) {
	if !f.model.Knows(op) {
		f.add(op)
	}
}

// reason describes why nothing was decided, of so many operations.
func (f *foreignOperations) reason(checker string, ops int) string {
	names := make([]string, 0, len(f.count))
	for _, name := range slices.Sorted(maps.Keys(f.count)) {
		names = append(names, fmt.Sprintf("%s (%d)", cmp.Or(shorten(name), "no name"), f.count[name]))
	}
	const maxNames = 12
	if more := len(names) - maxNames; more > 0 {
		names = append(names[:maxNames], fmt.Sprintf("and %d more", more))
	}
	text := fmt.Sprintf("%d of %d operations have functions that %s does not know: %s", f.total, ops, checker,
		strings.Join(names, ", "))
	if known := f.model.FunctionNames(); len(known) > 0 {
		text += "; it knows " + strings.Join(known, ", ")
	}
	return text
}

// before returns the part of a history that no foreign operation can have influenced.
func (f *foreignOperations) before(m *Model, ops []history.Operation) []history.Operation {
	if f.total == 0 || f.first == math.MaxInt64 {
		return ops
	}
	return prefix(m, slices.DeleteFunc(slices.Clone(ops), func(op history.Operation) bool {
		return f.count[op.F] > 0
	}), f.first-1)
}

// keepProvable keeps the violations that stand whatever foreign operations did: those of the log alone,
// and those of revisions and times. Where contents are compared, a foreign operation may have changed
// them.
func (f *foreignOperations) keepProvable(found []Violation) []Violation {
	if f.total == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(v Violation) bool {
		switch v.Kind {
		case WrongAnswer, WrongPrecondition, Phantom:
			return true
		}
		return false
	})
}

// settle makes a verdict of an interval check that is not invalid unknown if it was given operations of other
// functions, or none. A foreign operation may have ended or begun something, so what the check found between
// other operations stands only if it was over before.
func (f *foreignOperations) settle(v Verdict, ops, spans int) Verdict {
	if f.total > 0 {
		v.Violations = slices.DeleteFunc(v.Violations, func(v Violation) bool {
			return slices.ContainsFunc(v.Ops, func(op history.Operation) bool {
				return f.first != math.MaxInt64 && op.Return >= f.first
			})
		})
	}
	v = v.invalidIfViolated()
	switch {
	case v.Validity == Invalid:
	case f.total > 0:
		v.Validity, v.Summary = Unknown, undecided+f.reason("check "+v.Checker, ops)
	case spans == 0:
		v.Validity, v.Summary = Unknown, undecided+whyNothingChecked(ops)
	}
	return v
}

// undecided begins the summary of an unknown verdict.
const undecided = "not decided: "

// whyNothingChecked is why a history with so many operations of known functions was not decided.
func whyNothingChecked(ops int) string {
	if ops == 0 {
		return "the history has no operations, so nothing was checked"
	}
	return fmt.Sprintf("none of the %d operations shows anything that could be checked", ops)
}

// intervalForeign counts what an interval check does not know.
func intervalForeign(ops []history.Operation, functions []models.Function) foreignOperations {
	m := &Model{Functions: functions, Role: func(*history.Operation) models.Role { return models.Ignored }}
	return foreignTo(m, ops)
}
