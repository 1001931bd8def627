package linearizability

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// maxShown bounds the bytes of a value in an explanation.
const maxShown = 60

func shorten(text string) string {
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", text[:maxShown], len(text))
	}
	return text
}

// opName names an operation in explanations: the first letter of its function and the index of its invoke
// event, after the function itself, as in "write w17".
func opName(op *history.Operation) string {
	if op.F == "" {
		return fmt.Sprintf("operation %d", op.Index)
	}
	return fmt.Sprintf("%s %c%d", op.F, op.F[0], op.Index)
}

// seconds writes nanoseconds as seconds with two decimals or as many as it takes.
func seconds(ns int64) string {
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

// describeOp describes what an operation did, without times.
func describeOp(op *history.Operation) string {
	text := opName(op)
	if op.Key != "" {
		text += " of " + op.Key
	}
	if len(op.Input) > 0 {
		text += " = " + shorten(string(op.Input))
	}
	return text
}

// describeEnding describes how and when an operation ended, as a clause with its name as subject.
func describeEnding(op *history.Operation, rev uint64) string {
	switch op.Outcome {
	case history.OK:
		return fmt.Sprintf("%s was acknowledged at %s with revision %d", describeOp(op), seconds(op.Return),
			rev)
	case history.Fail:
		return fmt.Sprintf("%s was refused (%s) at %s, judged at revision %d", describeOp(op), op.Error,
			seconds(op.Return), rev)
	}
	return fmt.Sprintf("%s, called at %s, had an unknown outcome and holds revision %d in the log",
		describeOp(op),
		seconds(op.Call), rev)
}

// describeAnswer describes what an observation returned.
func describeAnswer(op *history.Operation, rev uint64) string {
	if op.Outcome == history.Fail {
		return fmt.Sprintf("was refused (%s) at revision %d", op.Error, rev)
	}
	text := fmt.Sprintf("returned revision %d", rev)
	if op.Mod != 0 {
		text += fmt.Sprintf(" (%s, last changed at %d)", shorten(outputText(op)), op.Mod)
	} else if len(op.Output) > 0 {
		text += fmt.Sprintf(" (%s)", shorten(outputText(op)))
	}
	return text
}

func outputText(op *history.Operation) string {
	if len(op.Output) == 0 {
		return "no value"
	}
	return string(op.Output)
}
