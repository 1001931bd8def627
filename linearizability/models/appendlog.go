package models

import (
	"encoding/json"
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() { constructors["append-log"] = AppendLog }

// Functions of the append log, beside [FAppend] and [FRead].
const (
	// FTail asks for the number of records.
	FTail = "tail"
	// CodeTailMismatch refuses a conditional append.
	CodeTailMismatch = "tail_mismatch"
)

// LogCall is a decoded operation of an append log.
type LogCall struct {
	f, code  string
	outcome  history.Type
	rev      uint64
	expected uint64
	record   digest
	shown    string
	read     logState
	whole    bool // read holds what a read returned
}

// logState is a log: how many records, and a digest chained over them. Two logs are equal if both are, but
// for a chance of about 2^-100.
type logState struct {
	tail uint64
	sum  digest
}

func (s logState) with(record digest) logState {
	return logState{s.tail + 1, s.sum.mix(record.hi).mix(record.lo)}
}

// AppendLog is the model of one log of records.
//
// append adds the invoke event's value and is answered with the number of records in Rev, which is the
// record's position from 1. With a Mod on the invoke event it succeeds only if that many records are there,
// and is otherwise refused with tail_mismatch. tail returns the number of records in Rev. read returns in
// addition all records as a JSON array. The log starts with the records of the initial state, a JSON array.
func AppendLog(initial json.RawMessage) (*Model, error) {
	start, err := logOf(initial)
	if err != nil {
		return nil, err
	}
	_, records := logValues(&history.Operation{F: FRead, Output: initial})
	return &Model{
		Name:       "append-log",
		Purpose:    "one log of records; initial: [record, …]",
		Functions:  logFunctions,
		Values:     &Values{Initial: records, Of: logValues},
		Role:       logRole,
		Decode:     decodeLog,
		Entry:      logEntry,
		Revisioned: true,
		FirstRev:   start.tail,
		Model: porcupine.Model{
			Init:              func() any { return start },
			Step:              stepLog,
			Hash:              func(state any) uint64 { s := state.(logState); return s.sum.mix(s.tail).lo },
			DescribeOperation: describeLogCall,
			DescribeState: func(state any) string {
				return fmt.Sprintf("%d records", state.(logState).tail)
			},
		},
	}, nil
}

var logFunctions = []Function{
	{Name: FAppend, Value: "record", Answer: "the number of records in rev"},
	{Name: FTail, Answer: "the number of records in rev"},
	{Name: FRead, Answer: "[record, …]"},
}

// logValues returns the record that an append writes, and those that a read found.
func logValues(op *history.Operation) (written, found []string) {
	switch op.F {
	case FAppend:
		return []string{contentOf(op.Input)}, nil
	case FRead:
		var list []json.RawMessage
		if json.Unmarshal(op.Output, &list) != nil {
			return nil, nil // an answer that no log gives
		}
		for _, record := range list {
			found = append(found, contentOf(record))
		}
	}
	return nil, found
}

func logOf(records json.RawMessage) (logState, error) {
	var list []json.RawMessage
	if len(records) > 0 {
		if err := json.Unmarshal(records, &list); err != nil {
			return logState{}, fmt.Errorf("%w: a log is a JSON array of its records, not %s", ErrOperation,
				shorten(records))
		}
	}
	var s logState
	for _, r := range list {
		s = s.with(valueDigest(r))
	}
	return s, nil
}

func logRole(op *history.Operation) Role {
	switch op.F {
	case FAppend:
		switch op.Outcome {
		case history.Fail:
			if op.Error == CodeTailMismatch {
				return Observation
			}
			return Ignored
		default:
			return Mutation
		}
	case FRead, FTail:
		if op.Outcome == history.OK {
			return Observation
		}
	}
	return Ignored
}

func decodeLog(op *history.Operation, _ Call) (Call, error) {
	c := &LogCall{f: op.F, code: op.Error, outcome: op.Outcome, rev: op.Rev, expected: op.Expect}
	switch op.F {
	case FAppend:
		c.record, c.shown = valueDigest(op.Input), shorten(op.Input)
	case FRead:
		c.shown, c.whole = shorten(op.Output), true
		state, err := logOf(op.Output)
		if err != nil {
			state.tail = ^uint64(0) // an answer that no log gives
		}
		c.read = state
	}
	if op.Outcome == history.Info {
		c.rev = 0
	}
	return c, nil
}

func logEntry(entry *history.WitnessEntry) (Call, error) {
	return &LogCall{f: FAppend, outcome: history.OK, rev: entry.Rev, record: valueDigest(entry.Value),
		shown: shorten(entry.Value)}, nil
}

func stepLog(state, _, output any) (bool, any) {
	s, c := state.(logState), output.(*LogCall)
	if c.f != FAppend {
		return (c.rev == 0 || c.rev == s.tail) && (!c.whole || c.read == s), s
	}
	fits := c.expected == 0 || c.expected == s.tail
	switch c.outcome {
	case history.Fail:
		return !fits && (c.rev == 0 || c.rev == s.tail), s
	case history.Info:
		if !fits {
			return true, s
		}
	default:
		if !fits || (c.rev != 0 && c.rev != s.tail+1) {
			return false, s
		}
	}
	return true, s.with(c.record)
}

func describeLogCall(_, output any) string {
	c := output.(*LogCall)
	switch {
	case c.f != FAppend:
		return fmt.Sprintf("%s → %s of %d", c.f, c.shown, c.rev)
	case c.outcome == history.Fail:
		return fmt.Sprintf("append(%s, if %d) → %s", c.shown, c.expected, c.code)
	case c.outcome == history.Info:
		return fmt.Sprintf("append(%s) → unknown", c.shown)
	}
	return fmt.Sprintf("append(%s) → %d", c.shown, c.rev)
}
