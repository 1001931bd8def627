// Package prose names operations and times in explanations, the same way for models and checkers.
//
// It never decides anything: it turns what was recorded into words.
package prose

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// maxShown bounds the bytes of a value in an explanation.
const maxShown = 60

// Shorten cuts a text that is too long for an explanation, and gives its length.
func Shorten(text string) string {
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", text[:maxShown], len(text))
	}
	return text
}

// OpName names an operation in explanations: the first letter of its function and the index of its invoke
// event, after the function itself, as in "write w17".
func OpName(op *history.Operation) string {
	if op.F == "" {
		return fmt.Sprintf("operation %d", op.Index)
	}
	return fmt.Sprintf("%s %c%d", op.F, op.F[0], op.Index)
}

// Seconds writes nanoseconds as seconds with two decimals or as many as it takes.
func Seconds(ns int64) string {
	if ns == history.Never {
		return "never"
	}
	sign := ""
	u := uint64(ns)
	if ns < 0 {
		sign, u = "-", -u
	}
	fraction := strings.TrimRight(fmt.Sprintf("%09d", u%1e9), "0")
	for len(fraction) < 2 {
		fraction += "0"
	}
	return fmt.Sprintf("%s%d.%s s", sign, u/1e9, fraction)
}

// Describe describes what an operation did, without times.
func Describe(op *history.Operation) string {
	text := OpName(op)
	if op.Key != "" {
		text += " of " + op.Key
	}
	if len(op.Input) > 0 {
		text += " = " + Shorten(string(op.Input))
	}
	return text
}
