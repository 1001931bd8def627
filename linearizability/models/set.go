package models

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/order"
)

func init() { constructors["set"] = Set }

// FAdd adds an element to a set, or a number to a counter.
const FAdd = "add"

var setFunctions = []Function{
	{Name: FAdd, Value: "element"},
	{Name: FRead, Answer: "[element, …], in any order"},
}

// SetCall is a decoded operation of a set.
type SetCall struct {
	f     string
	value string   // of an add
	whole []string // the sorted answer of a read
	isSet bool     // the answer has no element twice
}

// setState is the sorted elements, each with a line feed behind it, which no JSON in one line has.
type setState string

// Set is the model of independent sets that only grow, one per key. add puts an element into the set;
// to add it again changes nothing. read returns all elements as an array in any order, without repetition;
// no value and null are the empty set. The initial state is an array, nil for the empty set.
//
// Every history is decided without a search, in the time that it takes to read it.
func Set(initial json.RawMessage) (*Model, error) {
	start, err := arrayOf(initial)
	if err != nil {
		return nil, err
	}
	first := &SetCall{f: FRead}
	first.setWhole(start)
	seed := maphash.MakeSeed()
	return &Model{
		Name:      "set",
		Purpose:   "sets that only grow, one per key; initial: [element, …]",
		Keyed:     true,
		Functions: setFunctions,
		Role:      func(op *history.Operation) Role { return readOrChange(op, FRead, FAdd) },
		Decode:    decodeSet,
		Decide:    func(ops []history.Operation) (Decision, error) { return decideSet(start, ops) },
		Model: porcupine.Model{
			Init: func() any { return setOf(first.whole) },
			Step: stepSet,
			Hash: func(state any) uint64 {
				return maphash.String(seed, string(state.(setState)))
			},
			DescribeOperation: func(_, output any) string { return output.(*SetCall).describe() },
			DescribeState: func(state any) string {
				return describeElements(state.(setState).elements())
			},
		},
	}, nil
}

// readOrChange classifies the operations of a model in which failed calls say nothing.
func readOrChange(op *history.Operation, read string, changes ...string) Role {
	switch {
	case op.Outcome == history.Fail:
		return Ignored
	case slices.Contains(changes, op.F):
		return Mutation
	case op.F == read && op.Outcome == history.OK:
		return Observation
	}
	return Ignored
}

func decodeSet(op *history.Operation, _ Call) (Call, error) {
	c := &SetCall{f: op.F}
	if op.F == FAdd {
		c.value = canonical(op.Input)
		return c, nil
	}
	list, err := arrayOf(op.Output)
	if err != nil {
		return nil, fmt.Errorf("reading a set: %w", err)
	}
	c.setWhole(list)
	return c, nil
}

func (c *SetCall) setWhole(list []json.RawMessage) {
	for _, value := range list {
		c.whole = append(c.whole, canonical(value))
	}
	slices.Sort(c.whole)
	n := len(c.whole)
	c.whole = slices.Compact(c.whole)
	c.isSet = n == len(c.whole)
}

func setOf(sorted []string) setState {
	var text strings.Builder
	for _, e := range sorted {
		text.WriteString(e)
		text.WriteByte('\n')
	}
	return setState(text.String())
}

func (s setState) elements() []string {
	return strings.Split(strings.TrimSuffix(string(s), "\n"), "\n")
}

func stepSet(state, _, output any) (bool, any) {
	s, c := state.(setState), output.(*SetCall)
	if c.f == FRead {
		return c.isSet && s == setOf(c.whole), s
	}
	if s == "" {
		return true, setOf([]string{c.value})
	}
	list := s.elements()
	at, ok := slices.BinarySearch(list, c.value)
	if ok {
		return true, s
	}
	return true, setOf(slices.Insert(list, at, c.value))
}

func (c *SetCall) describe() string {
	if c.f == FRead {
		return "read → " + describeElements(c.whole)
	}
	return fmt.Sprintf("add(%s)", shorten(json.RawMessage(c.value)))
}

func describeElements(list []string) string {
	return "[" + shorten(json.RawMessage(" " + strings.Join(list, " ")))[1:] + "]"
}

func decideSet(initial []json.RawMessage, ops []history.Operation) (Decision, error) {
	var names elements
	h := order.Set{}
	for _, value := range initial {
		names.of(value)
	}
	h.Initial = int32(len(names.text))
	for i := range ops {
		op := &ops[i]
		switch {
		case op.Outcome == history.Fail:
		case op.F == FAdd:
			h.Adds = append(h.Adds, order.SetAdd{Span: spanOf(ops, i), Element: names.of(op.Input)})
		case op.F == FRead && op.Outcome == history.OK:
			list, err := names.list(op.Output)
			if err != nil {
				return Decision{}, fmt.Errorf("reading a set by %s: %w", nameWithKey(op), err)
			}
			h.Reads = append(h.Reads, order.SetRead{Span: spanOf(ops, i), Elements: list})
		}
	}
	h.Elements = int32(len(names.text))
	n := explainer{ops: ops, element: func(e int32) string { return shorten(json.RawMessage(names.text[e])) }}
	return n.decision(h.Check(), true), nil
}
