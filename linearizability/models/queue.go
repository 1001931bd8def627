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

func init() {
	constructors["fifo-queue"] = FIFOQueue
	constructors["unordered-queue"] = UnorderedQueue
}

// Functions of a queue.
const (
	FEnqueue = "enqueue"
	FDequeue = "dequeue"
	FDrain   = "drain"
)

var queueFunctions = []Function{
	{Name: FEnqueue, Value: "value"},
	{Name: FDequeue, Answer: "value; null: the queue was empty"},
	{Name: FDrain, Answer: "[value, …], all that was left, one after the other"},
}

// QueueCall is a decoded call of a queue. A drain is several: one for each value, and one that finds the
// queue empty.
type QueueCall struct {
	f         string
	value     string
	isEmpty   bool // a dequeue found nothing
	isUnknown bool
	drain     int64 // number of the drain that the call is a part of
	step      int   // its position in the drain, from 1; 0 without a drain
}

// queueState is the values in the queue, in their order or sorted, how many were taken by calls with unknown
// outcome without being known, and how far each drain got.
type queueState struct {
	values []string
	debt   int // allDebt: any number
	drains map[int64]int
}

// allDebt means that a drain with unknown outcome may have taken any number of values.
const allDebt = 1 << 40

// FIFOQueue is the model of independent queues, one per key, whose values leave in the order in which they
// came. enqueue puts its value in. dequeue returns the value that it took, or null if the queue was empty; a
// dequeue that failed says nothing. drain takes values one after the other until the queue is empty, and
// returns them in that order. A dequeue or drain with unknown outcome may have taken values. The initial
// state is an array, nil for the empty queue.
//
// Histories in which every value is put in once are decided without a search, unless a dequeue with unknown
// outcome has to explain an answer, or calls overlap a drain of several values.
func FIFOQueue(initial json.RawMessage) (*Model, error) { return queue("fifo-queue", initial, true) }

// UnorderedQueue is [FIFOQueue] without an order: a dequeue takes any value.
//
// Histories without an answer that the queue is empty are decided without a search, and so are those in
// which every value is put in once, unless a dequeue with unknown outcome has to explain such an answer.
func UnorderedQueue(initial json.RawMessage) (*Model, error) {
	return queue("unordered-queue", initial, false)
}

func queue(name string, initial json.RawMessage, ordered bool) (*Model, error) {
	start, err := arrayOf(initial)
	if err != nil {
		return nil, err
	}
	rule := "any order"
	if ordered {
		rule = "the order in which they came"
	}
	first := &queueState{}
	for _, value := range start {
		first = first.with(canonical(value), ordered)
	}
	seed := maphash.MakeSeed()
	return &Model{
		Name:      name,
		Purpose:   "queues, one per key, whose values leave in " + rule + "; initial: [value, …]",
		Keyed:     true,
		Functions: queueFunctions,
		Role: func(op *history.Operation) Role {
			return readOrChange(op, "", FEnqueue, FDequeue, FDrain)
		},
		Decode: func(op *history.Operation, _ Call) (Call, error) {
			calls, err := expandQueue(op)
			if err != nil || len(calls) == 0 {
				return nil, err
			}
			return calls[len(calls)-1], nil
		},
		Expand: expandQueue,
		Decide: func(ops []history.Operation) (Decision, error) { return decideQueue(start, ops, ordered) },
		Model: porcupine.Model{
			Init: func() any { return first },
			Step: func(state, _, output any) (bool, any) {
				return output.(*QueueCall).next(state.(*queueState), ordered)
			},
			Equal: func(a, b any) bool { return a.(*queueState).String() == b.(*queueState).String() },
			Hash: func(state any) uint64 {
				return maphash.String(seed, state.(*queueState).String())
			},
			DescribeOperation: func(_, output any) string { return output.(*QueueCall).describe() },
			DescribeState:     func(state any) string { return state.(*queueState).String() },
		},
	}, nil
}

func expandQueue(op *history.Operation) ([]Call, error) {
	c := QueueCall{f: op.F, isUnknown: op.Outcome == history.Info}
	switch {
	case op.F == FEnqueue:
		c.value = canonical(op.Input)
		return []Call{&c}, nil
	case c.isUnknown:
		return []Call{&c}, nil
	case op.F != FDrain:
		c.value = canonical(op.Output)
		c.isEmpty = c.value == "null"
		return []Call{&c}, nil
	}
	list, err := arrayOf(op.Output)
	if err != nil {
		return nil, fmt.Errorf("draining a queue: %w", err)
	}
	calls := make([]Call, 0, len(list)+1)
	for n, value := range list {
		calls = append(calls, &QueueCall{f: FDequeue, value: canonical(value), drain: op.Index, step: n + 1})
	}
	return append(calls, &QueueCall{f: FDequeue, isEmpty: true, drain: op.Index, step: len(list) + 1}), nil
}

// with returns the state with one more value.
func (s *queueState) with(value string, ordered bool) *queueState {
	next := *s
	at := len(s.values)
	if !ordered {
		at, _ = slices.BinarySearch(s.values, value)
	}
	next.values = slices.Insert(slices.Clone(s.values), at, value)
	return &next
}

// next is one step of the specification. What calls with unknown outcome took is decided only where an answer
// needs it: they may take effect at any time after their call, so they may as well do so right before.
func (c *QueueCall) next(s *queueState, ordered bool) (bool, any) {
	if c.step > 0 && s.drains[c.drain] != c.step-1 {
		return false, s
	}
	next := *s
	switch {
	case c.f == FEnqueue:
		return true, s.with(c.value, ordered)
	case c.isUnknown && c.f == FDrain:
		next.debt = allDebt
		return true, &next
	case c.isUnknown:
		next.debt = min(allDebt, s.debt+1)
		return true, &next
	case c.isEmpty:
		if !next.forget(len(s.values)) {
			return false, s
		}
		next.values = nil
	default:
		at := slices.Index(s.values, c.value)
		if at < 0 || (ordered && !next.forget(at)) {
			return false, s
		}
		next.values = slices.Delete(slices.Clone(s.values), at, at+1)
		if ordered {
			next.values = next.values[at:]
		}
	}
	if c.step > 0 {
		next.drains = make(map[int64]int, len(s.drains)+1)
		for drain, step := range s.drains { // order does not matter: a copy
			next.drains[drain] = step
		}
		next.drains[c.drain] = c.step
	}
	return true, &next
}

// forget takes n values by calls with unknown outcome, if there are as many.
func (s *queueState) forget(n int) bool {
	if n > s.debt {
		return false
	}
	if s.debt < allDebt {
		s.debt -= n
	}
	return true
}

// String describes the state; equal states have equal texts.
func (s *queueState) String() string {
	text := "[" + strings.Join(s.values, " ") + "]"
	switch {
	case s.debt >= allDebt:
		text += ", of which any may be gone"
	case s.debt > 0:
		text += fmt.Sprintf(", of which %d may be gone", s.debt)
	}
	if len(s.drains) > 0 {
		text += ", drained " + strings.TrimPrefix(fmt.Sprint(s.drains), "map")
	}
	return text
}

func (c *QueueCall) describe() string {
	switch {
	case c.f == FEnqueue:
		return fmt.Sprintf("enqueue(%s)", shorten(json.RawMessage(c.value)))
	case c.isUnknown:
		return c.f + " → unknown"
	case c.isEmpty:
		return c.f + " → empty"
	}
	return fmt.Sprintf("%s → %s", c.f, shorten(json.RawMessage(c.value)))
}

func decideQueue(initial []json.RawMessage, ops []history.Operation, ordered bool) (Decision, error) {
	var names elements
	h := order.Queue{Ordered: ordered}
	for i, value := range initial {
		at := -history.Never + int64(i) // before everything, one after the other
		h.Enqueues = append(h.Enqueues, order.QueueOp{Span: order.Span{Op: fromStart, Call: at, Return: at},
			Value: names.of(value)})
	}
	for i := range ops {
		op, span := &ops[i], spanOf(ops, i)
		switch {
		case op.Outcome == history.Fail:
		case op.F == FEnqueue:
			h.Enqueues = append(h.Enqueues, order.QueueOp{Span: span, Value: names.of(op.Input)})
		case op.F == FDequeue && op.Outcome == history.Info:
			h.Unknown = append(h.Unknown, span)
		case op.F == FDrain && op.Outcome == history.Info:
			h.UnknownDrains = append(h.UnknownDrains, span)
		case op.F == FDequeue && canonical(op.Output) == "null":
			h.Empty = append(h.Empty, span)
		case op.F == FDequeue:
			h.Dequeues = append(h.Dequeues, order.QueueOp{Span: span, Value: names.of(op.Output)})
		case op.F == FDrain:
			list, err := names.list(op.Output)
			if err != nil {
				return Decision{}, fmt.Errorf("draining a queue by %s: %w", nameWithKey(op), err)
			}
			h.Drains = append(h.Drains, order.Drain{Span: span, Values: list})
		}
	}
	h.Values = int32(len(names.text))
	findings, exact := h.Check()
	n := explainer{ops: ops, isQueue: true,
		element: func(e int32) string { return shorten(json.RawMessage(names.text[e])) }}
	return n.decision(findings, exact), nil
}
