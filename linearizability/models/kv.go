package models

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/prose"
)

func init() { constructors["kv"] = KV }

// Functions of the KV model. read and write are taken as get and put.
const (
	FGet    = "get"
	FPut    = "put"
	FAppend = "append"
)

// KVCall is a decoded get, put or append.
type KVCall struct {
	f, text string
}

// KV is the model of independent texts, one per key, with get, put and append. A key that was never written
// holds the empty text. There is no initial state other than that.
func KV(initial json.RawMessage) (*Model, error) {
	if len(initial) > 0 && string(initial) != "null" {
		return nil, fmt.Errorf("%w: kv starts empty", ErrOperation)
	}
	seed := maphash.MakeSeed()
	return &Model{
		Name:      "kv",
		Purpose:   "independent texts, one per key, empty at first",
		Keyed:     true,
		Functions: kvFunctions,
		Role:      kvRole,
		Decode:    decodeKV,
		Decide:    decideKV,

		Without: withoutKV,
		Model: porcupine.Model{
			Init: func() any { return "" },
			Step: func(state, _, output any) (bool, any) {
				switch c := output.(*KVCall); c.f {
				case FGet:
					return state.(string) == c.text, state
				case FAppend:
					return true, state.(string) + c.text
				default:
					return true, c.text
				}
			},
			Hash: func(state any) uint64 { return maphash.String(seed, state.(string)) },
			DescribeOperation: func(_, output any) string {
				c := output.(*KVCall)
				if c.f == FGet {
					return fmt.Sprintf("get → %q", c.text)
				}
				return fmt.Sprintf("%s(%q)", c.f, c.text)
			},
			DescribeState: func(state any) string { return fmt.Sprintf("%q", state) },
		},
	}, nil
}

var kvFunctions = []Function{
	{Name: FGet, Answer: "text"},
	{Name: FPut, Value: "text"},
	{Name: FAppend, Value: "text"},
	{Name: FRead, Answer: "text"},
	{Name: FWrite, Value: "text"},
}

func kvFunction(f string) string {
	switch f {
	case FGet, FRead:
		return FGet
	case FPut, FWrite:
		return FPut
	case FAppend:
		return FAppend
	}
	return ""
}

func kvRole(op *history.Operation) Role {
	switch f := kvFunction(op.F); {
	case f == "" || op.Outcome == history.Fail:
		return Ignored
	case f != FGet:
		return Mutation
	case op.Outcome == history.OK:
		return Observation
	}
	return Ignored
}

func decodeKV(op *history.Operation, _ Call) (Call, error) {
	c := &KVCall{f: kvFunction(op.F)}
	value := op.Input
	if c.f == FGet {
		value = op.Output
	}
	c.text = textOfOrEmpty(value)
	return c, nil
}

// withoutKV leaves out an append and erases its text from every get. That is sound where all texts written
// are different and none is the beginning of another: then each answer splits into the texts written in one
// way only, and erasing one of them everywhere turns a run into a run.
func withoutKV(ops []history.Operation, i int) ([]history.Operation, bool) {
	target := &ops[i]
	if kvFunction(target.F) != FAppend || !prefixFree(ops, target.Key) {
		return nil, false
	}
	erased := textOf(target.Input)
	rest := make([]history.Operation, 0, len(ops)-1)
	for j := range ops {
		if j == i {
			continue
		}
		op := ops[j]
		if op.Key == target.Key && kvFunction(op.F) == FGet && op.Outcome == history.OK {
			text, ok := erase(textOf(op.Output), erased, ops, target.Key)
			if !ok {
				return nil, false
			}
			op.Output, _ = json.Marshal(text)
		}
		rest = append(rest, op)
	}
	return rest, true
}

// writtenTexts lists the texts that puts and appends of a key wrote, sorted.
func writtenTexts(ops []history.Operation, key string) []string {
	var texts []string
	for i := range ops {
		if f := kvFunction(ops[i].F); ops[i].Key == key && (f == FAppend || f == FPut) {
			texts = append(texts, textOf(ops[i].Input))
		}
	}
	sort.Strings(texts)
	return texts
}

func prefixFree(ops []history.Operation, key string) bool {
	texts := writtenTexts(ops, key)
	for i := range texts {
		if texts[i] == "" || (i > 0 && strings.HasPrefix(texts[i], texts[i-1])) {
			return false
		}
	}
	return true
}

// erase removes one text from an answer that consists of written texts only.
func erase(answer, text string, ops []history.Operation, key string) (string, bool) {
	texts := writtenTexts(ops, key)
	var kept strings.Builder
	for answer != "" {
		next := sort.Search(len(texts), func(k int) bool { return texts[k] > answer }) - 1
		if next < 0 || !strings.HasPrefix(answer, texts[next]) {
			return "", false
		}
		if texts[next] != text {
			kept.WriteString(texts[next])
		}
		answer = answer[len(texts[next]):]
	}
	return kept.String(), true
}

// decideKV reports gets of texts that no order of the puts and appends made by then can have built. It finds
// nothing else: the rest is left to the search.
func decideKV(ops []history.Operation) (Decision, error) {
	written := &writtenTextsByLength{first: make(map[string]int64)}
	for i := range ops {
		if f := kvFunction(ops[i].F); ops[i].Outcome != history.Fail && (f == FPut || f == FAppend) {
			written.add(textOfOrEmpty(ops[i].Input), ops[i].Call)
			written.appends = written.appends || f == FAppend
		}
	}
	var d Decision
	for i := range ops {
		op := &ops[i]
		if kvFunction(op.F) != FGet || op.Outcome != history.OK {
			continue
		}
		if text := textOfOrEmpty(op.Output); !written.builds(text, op.Return) {
			d.Findings = append(d.Findings, Finding{Kind: kindUnwritten, Ops: []int{i}, Explain: fmt.Sprintf(
				"%s returned %q at %s, which the puts and appends called by then cannot have made",
				nameWithKey(op), prose.Shorten(text), prose.Seconds(op.Return))})
		}
		if len(d.Findings) == maxFindings {
			break
		}
	}
	return d, nil
}

// textOfOrEmpty is textOf, with null as the empty text.
func textOfOrEmpty(value json.RawMessage) string {
	if string(value) == "null" {
		return ""
	}
	return textOf(value)
}

// writtenTextsByLength is what puts and appends wrote, with the first call of each.
type writtenTextsByLength struct {
	first   map[string]int64
	lengths []int
	appends bool
}

// maxLengths bounds the different lengths of texts for which answers are taken apart; beyond it, every answer
// counts as possible.
const maxLengths = 64

func (w *writtenTextsByLength) add(text string, call int64) {
	if first, ok := w.first[text]; !ok || call < first {
		w.first[text] = call
	}
	if at, ok := slices.BinarySearch(w.lengths, len(text)); !ok && len(w.lengths) <= maxLengths {
		w.lengths = slices.Insert(w.lengths, at, len(text))
	}
}

// builds reports whether a text can consist of texts whose calls were made by an instant.
func (w *writtenTextsByLength) builds(text string, by int64) bool {
	if text == "" {
		return true
	}
	if first, ok := w.first[text]; ok && first <= by {
		return true
	}
	if !w.appends || len(w.lengths) > maxLengths {
		return w.appends
	}
	reached := make([]bool, len(text)+1)
	reached[0] = true
	for at := range len(text) {
		if !reached[at] {
			continue
		}
		for _, n := range w.lengths {
			if n > 0 && at+n <= len(text) && !reached[at+n] {
				first, ok := w.first[text[at:at+n]]
				reached[at+n] = ok && first <= by
			}
		}
	}
	return reached[len(text)]
}
