package models

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() { makers["kv"] = KV }

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
		Name:   "kv",
		Keyed:  true,
		Role:   kvRole,
		Decode: decodeKV,

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
	if string(value) != "null" {
		c.text = textOf(value)
	}
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
