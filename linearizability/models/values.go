package models

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/prose"
)

// Values returns what the operations of a model write and read. A value is a text; equal texts are equal
// values.
type Values struct {
	// Initial are the values of the initial state.
	Initial []string
	// Of returns the values that an operation puts into the state if it takes effect, and those that it
	// found there if it ended ok. It must return every value that the operation can write, and no value
	// that the operation need not have found. It is asked about operations with any outcome.
	Of func(op *history.Operation) (written, found []string)
}

// maxFindings bounds how many findings one check of values returns.
const maxFindings = 16

// Kinds of findings; package linearizability describes them.
const (
	kindUnwritten       = "unwritten-value"
	kindAborted         = "aborted-write"
	kindFuture          = "future-read"
	kindStale           = "stale-read"
	kindLost            = "lost-write"
	kindImpossible      = "impossible-answer"
	kindTakenTwice      = "taken-twice"
	kindNotLinearizable = "not-linearizable"
)

// writer is where a value comes from.
type writer struct {
	first  int // the operation with the earliest call that may have written it, or -1
	failed int // an operation that failed to write it, or -1
}

// Check reports values that were read although no operation of the history can have written them by then,
// nor the initial state has them. It is sound whatever else is unknown, linear, and finds nothing else.
func (v *Values) Check(ops []history.Operation) []Finding {
	writers := make(map[string]writer)
	for i := range ops {
		written, _ := v.Of(&ops[i])
		for _, value := range written {
			w, ok := writers[value]
			if !ok {
				w = writer{-1, -1}
			}
			switch {
			case ops[i].Outcome == history.Fail:
				w.failed = i
			case w.first < 0 || ops[i].Call < ops[w.first].Call:
				w.first = i
			}
			writers[value] = w
		}
	}
	var findings []Finding
	for i := range ops {
		if ops[i].Outcome != history.OK {
			continue
		}
		_, found := v.Of(&ops[i])
		for _, value := range found {
			w, ok := writers[value]
			if !ok {
				w = writer{-1, -1}
			}
			if ok && w.first >= 0 && ops[w.first].Call <= ops[i].Return || slices.Contains(v.Initial, value) {
				continue
			}
			findings = append(findings, w.explain(ops, i, value))
			break
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(len(a.Ops), len(b.Ops)) })
	return findings[:min(len(findings), maxFindings)]
}

// explain describes that operation i found a value that it cannot have found.
func (w writer) explain(ops []history.Operation, i int, value string) Finding {
	read := &ops[i]
	text := fmt.Sprintf("%s found %s by %s, ", nameWithKey(read), prose.Shorten(value),
		prose.Seconds(read.Return))
	switch {
	case w.first >= 0:
		writes := &ops[w.first]
		return Finding{Kind: kindFuture, Ops: []int{i, w.first}, Explain: text + fmt.Sprintf(
			"before %s, the first to write that, was called at %s", prose.OpName(writes),
			prose.Seconds(writes.Call))}
	case w.failed >= 0:
		return Finding{Kind: kindAborted, Ops: []int{i, w.failed}, Explain: text + fmt.Sprintf(
			"which only %s wrote, and that failed", prose.OpName(&ops[w.failed]))}
	}
	return Finding{Kind: kindUnwritten, Ops: []int{i},
		Explain: text + "which no operation of the history wrote and which is not the initial value"}
}

func nameWithKey(op *history.Operation) string {
	if op.Key == "" {
		return prose.OpName(op)
	}
	return prose.OpName(op) + " of " + op.Key
}

// elements numbers the elements of a set, or the values of a queue.
type elements struct {
	number map[string]int32
	text   []string
}

func (e *elements) of(value json.RawMessage) int32 {
	if e.number == nil {
		e.number = make(map[string]int32)
	}
	text := canonical(value)
	n, ok := e.number[text]
	if !ok {
		n = int32(len(e.text))
		e.number[text] = n
		e.text = append(e.text, text)
	}
	return n
}

// list decodes a JSON array; no value and null are the empty one.
func (e *elements) list(value json.RawMessage) ([]int32, error) {
	raw, err := arrayOf(value)
	if err != nil {
		return nil, err
	}
	numbers := make([]int32, len(raw))
	for i := range raw {
		numbers[i] = e.of(raw[i])
	}
	return numbers, nil
}

// arrayOf splits a JSON array; no value and null are the empty one.
func arrayOf(value json.RawMessage) ([]json.RawMessage, error) {
	if len(value) == 0 {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(value, &raw); err != nil {
		return nil, fmt.Errorf("%w: want an array of values, not %s", ErrOperation, shorten(value))
	}
	return raw, nil
}
