package models

import (
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Function declares one function of a model, as it appears in the member f of a history.
type Function struct {
	Name string
	// Value is the shape of the invoke event's value, and Answer that of the ok event's, for people, such as
	// "[expected, new]". Empty means none.
	Value, Answer string
	// Unjudged means that the model knows the function and leaves it out on purpose.
	Unjudged bool
}

// Knows reports whether the model judges operations of this function, or leaves them out on purpose.
func (m *Model) Knows(op *history.Operation) bool {
	if m.Functions != nil {
		return slices.ContainsFunc(m.Functions, func(f Function) bool { return f.Name == op.F })
	}
	probe := *op
	for _, outcome := range []history.Type{op.Outcome, history.OK, history.Info, history.Fail} {
		if probe.Outcome = outcome; m.Role(&probe) != Ignored {
			return true
		}
	}
	return false
}

// FunctionNames lists the functions that the model judges, in the order of their declaration.
func (m *Model) FunctionNames() []string {
	var names []string
	for _, f := range m.Functions {
		if !f.Unjudged {
			names = append(names, f.Name)
		}
	}
	return names
}

// Shape describes the function's value and answer in a few words.
func (f Function) Shape() string {
	switch {
	case f.Unjudged:
		return "not judged"
	case f.Answer == "":
		return f.Value
	}
	return strings.TrimSpace(f.Value + " → " + f.Answer)
}
