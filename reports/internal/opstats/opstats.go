// Package opstats summarizes operations by function: how many ended how, and how long they took.
//
// Package opstats never judges an operation.
package opstats

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// Stat is one line of the table of operations.
type Stat struct {
	F              string
	OK, Fail, Info int
	// Median, High (99 of 100 were faster) and Max are of the operations that ended well.
	Median, High, Max string
	Errors            string
}

// maxErrorCodes is how many error codes a line of the table names.
const maxErrorCodes = 6

const (
	// maxFunctions is how many functions the table lists.
	maxFunctions = 40
	// maxNameChars is how much of a function's name or of an error code is shown.
	maxNameChars = 24
)

// Latency returns how long an operation took, or until its client gave up.
type Latency func(op *history.Operation) (d time.Duration, ended bool)

// Of returns one line for each function, in the order of their names.
func Of(ops []history.Operation, latency Latency) (out []Stat) {
	byF := map[string][]*history.Operation{}
	for i := range ops {
		f := words.Shorten(words.Clean(ops[i].F), maxNameChars)
		byF[f] = append(byF[f], &ops[i])
	}
	functions := slices.Sorted(maps.Keys(byF))
	for _, f := range functions[:min(len(functions), maxFunctions)] {
		out = append(out, statOf(f, byF[f], latency))
	}
	return out
}

func statOf(f string, ops []*history.Operation, latency Latency) Stat {
	s := Stat{F: f, Median: "–", High: "–", Max: "–"}
	var lengths []time.Duration
	codes := map[string]int{}
	for _, op := range ops {
		switch op.Outcome {
		case history.OK:
			d, _ := latency(op)
			lengths = append(lengths, d)
			s.OK++
		case history.Fail:
			s.Fail++
		default:
			s.Info++
		}
		if op.Error != "" {
			codes[words.Shorten(words.Clean(op.Error), maxNameChars)]++
		}
	}
	for i, code := range slices.Sorted(maps.Keys(codes)) {
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
