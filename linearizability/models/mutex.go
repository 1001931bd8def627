package models

import (
	"encoding/json"
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() { constructors["mutex"] = Mutex }

// Functions of the mutex model.
const (
	FAcquire = "acquire"
	FRelease = "release"
)

type mutexState string

const (
	mutexFree mutexState = "free"
	mutexHeld mutexState = "held"
	mutexAny  mutexState = "?"
)

// MutexCall is a decoded acquire or release.
type MutexCall struct {
	f       string
	outcome history.Type
}

// Mutex is the model of independent locks, one per key, as in Jepsen: acquire succeeds on a free one,
// release on a held one, by whomever. A refused call says nothing. It answers whether an order exists;
// leases, fencing tokens and who holds what are judged by intervals instead. The initial state is free;
// "held" is the other one.
func Mutex(initial json.RawMessage) (*Model, error) {
	start := mutexFree
	switch word := textOf(initial); word {
	case "", "null", string(mutexFree):
	case string(mutexHeld):
		start = mutexHeld
	default:
		return nil, fmt.Errorf("%w: a mutex starts free or held, not %q", ErrOperation, word)
	}
	return &Model{
		Name:      "mutex",
		Purpose:   "locks, one per key, released by whomever; initial: free (default) or held",
		Keyed:     true,
		Blind:     true,
		Functions: []Function{{Name: FAcquire}, {Name: FRelease}},
		Role:      mutexRole,
		Decode:    decodeMutex,
		Unknown:   func() any { return mutexAny },
		Model: porcupine.Model{
			Init:              func() any { return start },
			Step:              stepMutex,
			DescribeOperation: func(_, output any) string { return output.(*MutexCall).describe() },
			DescribeState:     func(state any) string { return string(state.(mutexState)) },
		},
	}, nil
}

func mutexRole(op *history.Operation) Role {
	if op.Outcome == history.Fail || (op.F != FAcquire && op.F != FRelease) {
		return Ignored
	}
	return Mutation
}

func decodeMutex(op *history.Operation, _ Call) (Call, error) {
	return &MutexCall{op.F, op.Outcome}, nil
}

func (c *MutexCall) describe() string {
	if c.outcome == history.Info {
		return c.f + " → unknown"
	}
	return c.f
}

func stepMutex(state, _, output any) (bool, any) {
	s, c := state.(mutexState), output.(*MutexCall)
	from, to := mutexFree, mutexHeld
	if c.f == FRelease {
		from, to = to, from
	}
	switch {
	case s == from, s == mutexAny && c.outcome == history.OK:
		return true, to
	case c.outcome == history.Info:
		return true, s
	}
	return false, s
}
