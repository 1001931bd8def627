package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Role is what an operation can do to the state.
type Role uint8

const (
	// Ignored operations constrain nothing: the model does not speak about them.
	Ignored Role = iota
	// Mutation changes the state when it succeeds.
	Mutation
	// Observation reads the state, or was refused because of it, at one instant between call and return.
	Observation
	// LocalObservation reads a state that may be old, but must have existed.
	LocalObservation
)

// Call is a decoded operation: what Step of a model takes as its input and, with the answer in it, as
// its output. Each model has its own concrete type.
type Call any

// ErrOperation reports an operation that the model cannot decode.
var ErrOperation = errors.New("operation does not fit the model")

// ErrUnknownModel reports a model name that [ByName] does not know.
var ErrUnknownModel = errors.New("unknown model")

// Model is a sequential specification of a system together with how it reads recorded operations.
type Model struct {
	// Model is the specification. Init may be called often; each call starts from a fresh state.
	porcupine.Model
	// Name is what users call the model, such as "store".
	Name string
	// Purpose describes what the model specifies and what its initial state is, in one line for people.
	Purpose string
	// Role classifies an operation that ended ok or whose outcome is unknown; an operation that failed
	// is an Observation if its failure says something about the state, else Ignored.
	Role func(op *history.Operation) Role
	// Decode turns an operation into what Step takes. reuse is a Call returned earlier that is no longer
	// needed, or nil.
	Decode func(op *history.Operation, reuse Call) (Call, error)
	// Entry turns a mutation found in a witness into a Call, so that it can be replayed. It is nil when
	// the model cannot do that.
	Entry func(entry *history.WitnessEntry) (Call, error)
	// Revisioned means that successful mutations carry consecutive revisions of the whole state and
	// observations the revision at which they were judged. Only then is a certificate possible.
	Revisioned bool
	// Replay returns an initial state for a replay that goes forward only: Step may change it in place, so
	// that an older state must not be used again. reuse is a state of an earlier replay or nil. Nil
	// means that Init serves replays as well.
	Replay func(reuse any) any
	// Keyed means that operations on different keys do not influence each other, so that a history can be
	// split by key.
	Keyed bool
	// Unknown returns a state that stands for all states: Step accepts from it whatever some state would
	// accept. Nil means that the model has none.
	Unknown func() any
	// Blind means that a mutation's effect on the state, when it has one, does not depend on the state
	// before: writing, but not appending or counting. A fast search is then possible.
	Blind bool
	// Without returns a history without the mutation at position i, if every such history that is legal
	// with it is legal without it. It may change the answers of others to fit. Nil means never.
	Without func(ops []history.Operation, i int) (rest []history.Operation, ok bool)
	// FirstRev is the revision of the initial state of a Revisioned model.
	FirstRev uint64
	// Functions declares the functions that the model knows. A history with an operation of another
	// function is not valid: the checkers return unknown and name it. Nil declares nothing: then the model
	// knows a function if Role has another answer than Ignored for an operation of that function, whatever
	// its outcome. A model that is given operations which it must not judge has to declare them.
	Functions []Function
	// Values returns what operations write and read, for a check that needs no search: a value that was read
	// must have been written, or be initial. Nil means that values say nothing.
	Values *Values
	// Decide judges the operations of one key, or of all if the model is not Keyed, without a search. Nil
	// means that only a search can.
	Decide func(ops []history.Operation) (Decision, error)
	// Expand turns an operation that stands for several calls, one after the other, into these calls. It
	// is used in place of Decode; nil means that an operation is one call.
	Expand func(op *history.Operation) ([]Call, error)
}

// Decision is what a model found out without a search.
type Decision struct {
	// Findings prove that no order exists.
	Findings []Finding
	// Exact means that without a finding an order exists, so that no search is needed.
	Exact bool
}

// Finding is one thing that no order explains.
type Finding struct {
	// Kind is a kind of violation in kebab-case, such as stale-read.
	Kind string
	// Ops are the positions of the operations that prove it.
	Ops []int
	// Explain describes what happened.
	Explain string
}

// constructor builds a model from an initial state in JSON, nil for the default.
type constructor func(initial json.RawMessage) (*Model, error)

var constructors = map[string]constructor{}

// ByName returns the named model with the given initial state, as a history header carries it; nil means
// the model's default.
func ByName(name string, initial json.RawMessage) (*Model, error) {
	m, ok := constructors[name]
	if !ok {
		return nil, fmt.Errorf("%w %q: use one of %s", ErrUnknownModel, name, strings.Join(Names(), ", "))
	}
	model, err := m(initial)
	if err != nil {
		return nil, fmt.Errorf("model %s: reading its initial state: %w", name, err)
	}
	return model, nil
}

// Names lists the models that [ByName] knows, sorted.
func Names() []string {
	names := make([]string, 0, len(constructors))
	for name := range constructors {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
