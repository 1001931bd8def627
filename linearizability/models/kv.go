package models

import (
	"encoding/json"
	"fmt"
	"hash/maphash"

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
