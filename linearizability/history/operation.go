package history

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Operation is one call with its outcome: the closed interval [Call, Return] in which it took effect, if
// it did.
type Operation struct {
	// Index is the position of the invoke event in the history.
	Index   int64 `json:"i"`
	Process int   `json:"p"`
	// Call and Return are event times in nanoseconds. Return is [Never] unless Outcome is OK or Fail.
	Call   int64 `json:"call"`
	Return int64 `json:"return"`
	// Ended is the time of the info event of an operation with an unknown outcome, 0 if it has none.
	// It bounds nothing: the operation may still take effect later. It serves explanations.
	Ended int64 `json:"ended,omitempty"`
	// Outcome is OK, Fail or Info; Info also stands for a call that has no closing event.
	Outcome Type   `json:"outcome"`
	F       string `json:"f"`
	Key     string `json:"k,omitempty"`
	// Input is the value of the invoke event, Output that of the closing event.
	Input  json.RawMessage `json:"in,omitempty"`
	Output json.RawMessage `json:"out,omitempty"`
	// Expect is Mod of the invoke event: the revision that a compare-and-set asks for.
	Expect uint64 `json:"expect,omitempty"`
	// Rev and Mod are those of the closing event.
	Rev   uint64 `json:"rev,omitempty"`
	Mod   uint64 `json:"mod,omitempty"`
	ID    string `json:"id,omitempty"`
	Node  string `json:"node,omitempty"`
	Error string `json:"error,omitempty"`
}

// Errors of a history that is not well formed.
var (
	ErrBusy    = errors.New("process invokes while its previous call is open")
	ErrRetired = errors.New("process invokes after a call with unknown outcome")
	ErrOrphan  = errors.New("event closes a call that was never opened")
	ErrMixed   = errors.New("closing event names another function than its invoke event")
	ErrTime    = errors.New("call returns before it was made")
)

// opener derives operations one event at a time.
type opener struct {
	open    map[int]int  // process -> index in ops
	retired map[int]bool // process
}

// Operations derives the operations from events, in the order of their invoke events.
//
// Each process has one outstanding call. A process whose call ended with info (or never ended) is retired.
// Events of negative processes are left out. A history that breaks these rules is an error that names
// the event.
func Operations(events []Event) ([]Operation, error) {
	o := newOpener()
	ops := make([]Operation, 0, len(events)/2+1)
	var err error
	for i := range events {
		if ops, err = o.next(ops, &events[i]); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

func newOpener() *opener {
	return &opener{open: make(map[int]int), retired: make(map[int]bool)}
}

// next takes an event and appends the operation that it opens, if it does.
func (o *opener) next(ops []Operation, e *Event) ([]Operation, error) {
	if e.Process < 0 {
		return ops, nil
	}
	ops, err := o.add(ops, e)
	if err != nil {
		return nil, fmt.Errorf("event %d, process %d: %w", e.Index, e.Process, err)
	}
	return ops, nil
}

func (o *opener) add(ops []Operation, e *Event) ([]Operation, error) {
	at, busy := o.open[e.Process]
	if e.Type == Invoke {
		switch {
		case busy:
			return ops, ErrBusy
		case o.retired[e.Process]:
			return ops, ErrRetired
		}
		o.open[e.Process] = len(ops)
		return append(ops, Begin(e)), nil
	}
	if !busy {
		return ops, ErrOrphan
	}
	delete(o.open, e.Process)
	if e.Type == Info {
		o.retired[e.Process] = true
	}
	return ops, ops[at].Complete(e)
}

// Begin returns the operation that an invoke event opens, with its outcome unknown.
func Begin(e *Event) Operation {
	return Operation{Index: e.Index, Process: e.Process, Call: e.Time, Return: Never, Outcome: Info, F: e.F,
		Key: e.Key, Input: e.Value, Expect: e.Mod, ID: e.ID, Node: e.Node}
}

// Complete closes the operation with an ok, fail or info event of its process.
func (op *Operation) Complete(e *Event) error {
	if e.F != "" && op.F != "" && e.F != op.F {
		return fmt.Errorf("%w: %q closes %q", ErrMixed, e.F, op.F)
	}
	if e.Time < op.Call {
		return fmt.Errorf("%w: %d < %d", ErrTime, e.Time, op.Call)
	}
	op.Outcome, op.Output, op.Rev, op.Mod, op.Error = e.Type, e.Value, e.Rev, e.Mod, e.Error
	if e.Type == Info {
		op.Ended = e.Time
	} else {
		op.Return = e.Time
	}
	if e.ID != "" {
		op.ID = e.ID
	}
	if e.Node != "" {
		op.Node = e.Node
	}
	if op.Key == "" {
		op.Key = e.Key
	}
	return nil
}
