package reports

import (
	"html/template"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/opdata"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// maxPageOperations is how many operations are on the page. Of more, those that violations speak of, unknown
// and failed ones come first.
const maxPageOperations = 1_000_000

// pageOperations are the operations as data for the page's script, and remarks on what is left out.
func (v pageBuilder) pageOperations() (data template.JS, omitted []string, err error) {
	if len(v.ops) == 0 {
		return "", nil, nil
	}
	source := opdata.Source{Client: func(process int) int { return clientOf(v.run, process) },
		Violation: v.violationOfOp()}
	source.LatencyLow, source.LatencyHigh, _ = v.latencyAxis()
	ops := chosenOps(v.ops, source.Violation, maxPageOperations)
	columns := opdata.New(ops, source)
	if left := len(v.ops) - len(ops); left > 0 {
		omitted = append(omitted, words.GroupDigits(left)+" more operations in "+HistoryFile)
	}
	if columns.LeftOut > 0 {
		omitted = append(omitted, words.GroupDigits(columns.LeftOut)+
			" keys, values and identifiers of operations are only in "+HistoryFile)
	}
	text, err := columns.AppendJSON(nil)
	return template.JS(text), omitted, err //nolint:gosec // the JSON escapes what ends a script
}

// chosenOps returns at most so many operations in order: those that violations speak of, then unknown and
// failed ones, then successful ones spread evenly.
func chosenOps(ops []history.Operation, blamed map[int64]int, most int) []history.Operation {
	if len(ops) <= most {
		return ops
	}
	classOf := func(op *history.Operation) int {
		switch {
		case blamed[op.Index] != 0:
			return 0
		case op.Outcome == history.Info:
			return 1
		case op.Outcome == history.Fail:
			return 2
		}
		return 3
	}
	var sizes, seen, taken [4]int
	for i := range ops {
		sizes[classOf(&ops[i])]++
	}
	room := most
	for class := range taken {
		taken[class] = min(room, sizes[class])
		room -= taken[class]
	}
	chosen := make([]history.Operation, 0, most)
	for i := range ops {
		class := classOf(&ops[i])
		n := seen[class]
		seen[class]++
		if n*taken[class]/sizes[class] != (n+1)*taken[class]/sizes[class] {
			chosen = append(chosen, ops[i])
		}
	}
	return chosen
}
