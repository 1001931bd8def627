package reports

import (
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Clean makes a text safe to print on one line of a terminal: what would not show as itself is
// written as an escape.
func Clean(s string) string { return words.Clean(s) }

// CallWords describes the call of an operation, such as: write k1 = "v".
func CallWords(op *history.Operation) string { return words.Call(op) }

// OutcomeWords describes the outcome of an operation.
func OutcomeWords(op *history.Operation) string { return words.Outcome(op) }

// WhenWords describes when an operation was called and how long it took.
func WhenWords(op *history.Operation) string { return words.When(op) }

// FaultWords names a fault in one line, such as: partition n1 | n2 n3.
func FaultWords(f *fault.Fault) string { return words.Fault(f) }

// noEffect is how a report marks a fault without effect.
const noEffect = "no effect"
