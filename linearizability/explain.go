package linearizability

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/prose"
)

// The words for single operations, shared with package models.
var (
	shorten    = prose.Shorten
	opName     = prose.OpName
	seconds    = prose.Seconds
	describeOp = prose.Describe
)

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
