package reports

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// pageStat is one line of the table of operations.
type pageStat struct {
	F              string
	OK, Fail, Info int
	// Median, High (99 of 100 were faster) and Max are of the operations that ended well.
	Median, High, Max string
	Errors            string
}

// maxErrorCodes is how many error codes a line of the table names.
const maxErrorCodes = 6

// maxFunctions is how many functions the table lists.
const maxFunctions = 40

func (v pageBuilder) operationStats() (out []pageStat) {
	byF := map[string][]*history.Operation{}
	for i := range v.ops {
		f := words.Shorten(words.Clean(v.ops[i].F), maxColumnChars)
		byF[f] = append(byF[f], &v.ops[i])
	}
	for _, f := range firstOf(sortedKeys(byF), maxFunctions) {
		out = append(out, v.statOfFunction(f, byF[f]))
	}
	return out
}

func (v pageBuilder) statOfFunction(f string, ops []*history.Operation) pageStat {
	var c outcomeCounts
	var lengths []time.Duration
	codes := map[string]int{}
	for _, op := range ops {
		c.add(op.Outcome)
		if op.Outcome == history.OK {
			d, _ := v.opLatency(op)
			lengths = append(lengths, d)
		}
		if op.Error != "" {
			codes[words.Shorten(words.Clean(op.Error), maxColumnChars)]++
		}
	}
	s := pageStat{F: f, OK: c.OK, Fail: c.Fail, Info: c.Info, Median: "–", High: "–", Max: "–"}
	for i, code := range sortedKeys(codes) {
		if i == maxErrorCodes {
			s.Errors += ", …"
			break
		}
		if i > 0 {
			s.Errors += ", "
		}
		s.Errors += code + " " + words.Decimal(int64(codes[code]))
	}
	if n := len(lengths); n > 0 {
		slices.Sort(lengths)
		s.Median, s.High, s.Max = words.Duration(lengths[n/2]), words.Duration(lengths[n*99/100]),
			words.Duration(lengths[n-1])
	}
	return s
}
