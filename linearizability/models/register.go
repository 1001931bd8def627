package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() {
	constructors["register"] = Register
	constructors["cas-register"] = Register
}

// CodeMismatch is the error code of a compare-and-set that found another value. A failed cas without a
// code counts as this one, as in porcupine's etcd histories. In Jepsen's a failure only means that nothing
// happened; whoever reads those must leave failed calls out, as CheckFile of the package above does.
const CodeMismatch = "mismatch"

// RegisterCall is a decoded register operation.
type RegisterCall struct {
	fn       storeF
	outcome  history.Type
	value    string // written, read, or the new value of a cas
	expected string // by a cas
	f        string
}

// Register is the model of independent registers, one per key, with read, write and, as in Jepsen,
// cas whose value is [expected, new]. The initial state is a value that every register starts with;
// nil is null.
func Register(initial json.RawMessage) (*Model, error) {
	start := canonical(initial)
	seed := maphash.MakeSeed()
	return &Model{
		Name:      "register",
		Purpose:   "independent values, one per key; initial: the value of all keys, default null",
		Keyed:     true,
		Blind:     true,
		Functions: registerFunctions,
		Role:      registerRole,
		Decode:    decodeRegister,
		Values:    &Values{Initial: []string{start}, Of: registerValues},

		Without: withoutRegister,
		Unknown: func() any { return anyValue },
		Model: porcupine.Model{
			Init:              func() any { return start },
			Step:              stepRegister,
			Hash:              func(state any) uint64 { return maphash.String(seed, state.(string)) },
			DescribeOperation: describeRegisterCall,
			DescribeState:     func(state any) string { return state.(string) },
		},
	}, nil
}

var registerFunctions = []Function{
	{Name: FRead, Answer: "value"},
	{Name: FWrite, Value: "value"},
	{Name: FCAS, Value: "[expected, new]"},
	{Name: FReadLocal, Unjudged: true},
}

// registerValues returns what an operation of a register writes and what it found.
func registerValues(op *history.Operation) (written, found []string) {
	if _, local := storeFunction(op.F); local {
		return nil, nil
	}
	call, err := decodeRegister(op, nil)
	if err != nil {
		return nil, nil // decoding for the search reports it
	}
	switch c := call.(*RegisterCall); c.fn {
	case fRead:
		return nil, []string{c.value}
	case fWrite:
		return []string{c.value}, nil
	case fCAS:
		return []string{c.value}, []string{c.expected}
	}
	return nil, nil
}

// canonical returns the JSON text of a value, the same for equal values as far as escapes and spaces go.
func canonical(value json.RawMessage) string {
	if len(value) == 0 {
		return "null"
	}
	if value[0] == '[' || value[0] == '{' {
		var compact bytes.Buffer
		if json.Compact(&compact, value) == nil {
			return compact.String()
		}
	}
	var decoded any
	if value[0] != '"' || json.Unmarshal(value, &decoded) != nil {
		return string(value)
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		return string(value)
	}
	return string(text)
}

func registerRole(op *history.Operation) Role {
	fn, local := storeFunction(op.F)
	switch {
	case local:
		return Ignored
	case fn == fCAS && op.Outcome == history.Fail:
		if op.Error == "" || op.Error == CodeMismatch || op.Error == CodeRevisionMismatch {
			return Observation
		}
		return Ignored
	case op.Outcome == history.Fail:
		return Ignored
	case fn == fWrite || fn == fCAS:
		return Mutation
	case fn == fRead && op.Outcome == history.OK:
		return Observation
	}
	return Ignored
}

func decodeRegister(op *history.Operation, _ Call) (Call, error) {
	fn, _ := storeFunction(op.F)
	call := &RegisterCall{fn: fn, outcome: op.Outcome, f: op.F}
	switch fn {
	case fRead:
		call.value = canonical(op.Output)
	case fWrite:
		call.value = canonical(op.Input)
	case fCAS:
		var pair []json.RawMessage
		if err := json.Unmarshal(op.Input, &pair); err != nil || len(pair) != 2 {
			return nil, fmt.Errorf("%w: a cas of a register needs the value [expected, new], not %s",
				ErrOperation, op.Input)
		}
		call.expected, call.value = canonical(pair[0]), canonical(pair[1])
	}
	return call, nil
}

// anyValue is the state of a register that may hold anything. It is no JSON, so no value equals it.
const anyValue = "?"

// stepAnyValue steps from a register that may hold anything.
func stepAnyValue(c *RegisterCall) (bool, any) {
	switch {
	case c.fn == fRead, c.fn == fWrite, c.fn == fCAS && c.outcome == history.OK:
		return true, c.value
	}
	return true, anyValue
}

func stepRegister(state, _, output any) (bool, any) {
	s, c := state.(string), output.(*RegisterCall)
	if s == anyValue {
		return stepAnyValue(c)
	}
	switch c.fn {
	case fRead:
		return s == c.value, state
	case fWrite:
		return true, c.value
	case fCAS:
		hit := s == c.expected
		switch c.outcome {
		case history.OK:
			return hit, c.value
		case history.Fail:
			return !hit, state
		}
		if hit {
			return true, c.value
		}
	}
	return true, state
}

func describeRegisterCall(_, output any) string {
	c := output.(*RegisterCall)
	answer := map[history.Type]string{history.OK: "ok", history.Fail: "refused",
		history.Info: "unknown"}[c.outcome]
	switch c.fn {
	case fRead:
		return fmt.Sprintf("%s → %s", c.f, shorten(json.RawMessage(c.value)))
	case fCAS:
		return fmt.Sprintf("%s(%s to %s) → %s", c.f, shorten(json.RawMessage(c.expected)),
			shorten(json.RawMessage(c.value)), answer)
	}
	return fmt.Sprintf("%s(%s) → %s", c.f, shorten(json.RawMessage(c.value)), answer)
}

// withoutRegister leaves out a mutation whose value no remaining operation reads. In an order that explains
// the rest, nothing that depends on its value can follow it directly, so the order still explains the rest.
// A refused cas might depend on the value that it replaced, so there must be none.
func withoutRegister(ops []history.Operation, i int) ([]history.Operation, bool) {
	target, err := decodeRegister(&ops[i], nil)
	if err != nil {
		return nil, false
	}
	written := target.(*RegisterCall).value
	rest := make([]history.Operation, 0, len(ops)-1)
	for j := range ops {
		if j == i {
			continue
		}
		rest = append(rest, ops[j])
		if ops[j].Key != ops[i].Key {
			continue
		}
		call, err := decodeRegister(&ops[j], nil)
		if err != nil {
			return nil, false
		}
		c := call.(*RegisterCall)
		switch {
		case c.fn == fCAS && (c.outcome == history.Fail || c.expected == written):
			return nil, false
		case c.fn == fRead && c.value == written:
			return nil, false
		}
	}
	return rest, true
}
