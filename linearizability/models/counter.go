package models

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/order"
)

func init() { constructors["counter"] = Counter }

// Functions of a counter, beside [FAdd] and [FRead].
const (
	FIncrement = "inc"
	FDecrement = "dec"
)

// maxAmount bounds the amount of one add, so that the sum of a whole history fits into 64 bits.
const maxAmount = 1 << 36

var counterFunctions = []Function{
	{Name: FAdd, Value: "integer"},
	{Name: FIncrement, Value: "integer, default 1"},
	{Name: FDecrement, Value: "integer, default 1"},
	{Name: FRead, Answer: "integer"},
}

// CounterCall is a decoded operation of a counter.
type CounterCall struct {
	f      string
	amount int64 // added, or read
}

// Counter is the model of independent counters, one per key. add adds an integer, which may be negative;
// inc and dec add and subtract theirs, or 1 without a value. Amounts are below 2^36. read returns the
// value. The initial state is an integer, nil for 0.
//
// Where all amounts of a key are equal, its history is decided without a search. Otherwise reads are first
// compared with the least and the most that is possible; whether an order exists is left to the search.
func Counter(initial json.RawMessage) (*Model, error) {
	start := int64(0)
	if len(initial) > 0 && string(initial) != "null" {
		var err error
		if start, err = integer(initial, maxAmount); err != nil {
			return nil, err
		}
	}
	return &Model{
		Name:      "counter",
		Purpose:   "counters, one per key; initial: integer, default 0",
		Keyed:     true,
		Functions: counterFunctions,
		Role:      counterRole,
		Decode: func(op *history.Operation, _ Call) (Call, error) {
			c, err := decodeCounter(op)
			return &c, err
		},
		Decide: func(ops []history.Operation) (Decision, error) { return decideCounter(start, ops) },
		Model: porcupine.Model{
			Init: func() any { return start },
			Step: func(state, _, output any) (bool, any) {
				value, c := state.(int64), output.(*CounterCall)
				if c.f == FRead {
					return value == c.amount, state
				}
				return true, value + c.amount
			},
			Hash: func(state any) uint64 { return uint64(state.(int64)) * prime1 },
			DescribeOperation: func(_, output any) string {
				c := output.(*CounterCall)
				if c.f == FRead {
					return fmt.Sprintf("read → %d", c.amount)
				}
				return fmt.Sprintf("add(%d)", c.amount)
			},
			DescribeState: func(state any) string { return strconv.FormatInt(state.(int64), 10) },
		},
	}, nil
}

func counterRole(op *history.Operation) Role {
	return readOrChange(op, FRead, FAdd, FIncrement, FDecrement)
}

// integer decodes a JSON integer whose absolute value is below limit.
func integer(value json.RawMessage, limit int64) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n <= -limit || n >= limit {
		return 0, fmt.Errorf("%w: want an integer between -%d and %d, not %s", ErrOperation, limit, limit,
			shorten(value))
	}
	return n, nil
}

// maxRead bounds what a counter can be read as; no sum of a history reaches it.
const maxRead = 1 << 62

func decodeCounter(op *history.Operation) (CounterCall, error) {
	c := CounterCall{f: op.F}
	value, limit := op.Input, int64(maxAmount)
	if op.F == FRead {
		value, limit = op.Output, maxRead
	}
	if c.amount = 1; len(value) > 0 || (op.F != FIncrement && op.F != FDecrement) {
		var err error
		if c.amount, err = integer(value, limit); err != nil {
			return c, fmt.Errorf("%s of a counter: %w", op.F, err)
		}
	}
	if op.F == FDecrement {
		c.amount = -c.amount
	}
	return c, nil
}

func decideCounter(initial int64, ops []history.Operation) (Decision, error) {
	h := order.Counter{Initial: initial}
	for i := range ops {
		op := &ops[i]
		if counterRole(op) == Ignored {
			continue
		}
		c, err := decodeCounter(op)
		switch {
		case err != nil:
			return Decision{}, fmt.Errorf("%s: %w", nameWithKey(op), err)
		case op.F == FRead:
			h.Reads = append(h.Reads, order.CounterRead{Span: spanOf(ops, i), Value: c.amount})
		case c.amount != 0:
			h.Adds = append(h.Adds, order.CounterAdd{Span: spanOf(ops, i), Amount: c.amount})
		}
	}
	findings, exact := h.Check()
	n := explainer{ops: ops, element: func(int32) string { return "a value" }}
	return n.decision(findings, exact), nil
}
