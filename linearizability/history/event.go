package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Type is what an event reports about an operation.
type Type uint8

const (
	// Invoke opens a call: the client sent its request.
	Invoke Type = iota + 1
	// OK closes a call that certainly took effect, exactly once.
	OK
	// Fail closes a call that certainly had no effect.
	Fail
	// Info closes a call whose outcome is not known: it may have happened, may happen later, or
	// never. The process that made the call is retired and must not invoke again.
	// With a negative process it is a remark by the harness (a fault, a heal) and not a call.
	Info
)

var typeNames = [...]string{Invoke: "invoke", OK: "ok", Fail: "fail", Info: "info"}

// String returns the word used in files: invoke, ok, fail or info.
func (t Type) String() string {
	if t < Invoke || t > Info {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// ErrType reports a word that is none of the four event types.
var ErrType = errors.New("unknown event type")

// ParseType turns a word into a Type.
func ParseType(word string) (Type, error) {
	for t := Invoke; t <= Info; t++ {
		if typeNames[t] == word {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%w %q: use invoke, ok, fail or info", ErrType, word)
}

// MarshalText writes the word; a zero or foreign Type is an error.
func (t Type) MarshalText() ([]byte, error) {
	if t < Invoke || t > Info {
		return nil, fmt.Errorf("%w %d", ErrType, uint8(t))
	}
	return []byte(typeNames[t]), nil
}

// UnmarshalText reads the word.
func (t *Type) UnmarshalText(text []byte) error {
	parsed, err := ParseType(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// Never is the return time of an operation that has not returned: it stays concurrent with everything
// that is called after it.
const Never int64 = math.MaxInt64

// Event is one line of a history.
//
// What F, Key, Value, Rev and Mod mean is up to the model. The store model documents its own use of
// them in the package above this one.
type Event struct {
	// Index is the position in the history, from 0.
	Index int64
	// Time is in nanoseconds on the one clock of the harness, virtual or monotonic. [Operations] takes two
	// events with equal times as concurrent; [ReadInOrder] goes by their lines. Negative times are allowed.
	Time int64
	// Process is the client that calls, one outstanding call each. Negative numbers are not clients
	// (the nemesis, for example) and are left out of the operations.
	Process int
	Type    Type
	// F is the name of the function called, such as read, write or cas.
	F string
	// Key is the object or path the call is about; empty for histories of one object.
	Key string
	// Value is the argument on invoke and the answer on ok, as JSON; nil when there is none.
	Value json.RawMessage
	// Rev is the revision of the whole system at which the call was answered. 0 means not known.
	Rev uint64
	// Mod is the revision that last changed Key (or, on a compare-and-set, the one expected);
	// 0 means absent.
	Mod uint64
	// ID is the unique request id that the system stores with a mutation.
	ID string
	// Node is the machine that was asked.
	Node string
	// Error is a short code why a call failed or is unknown, such as not_found or timeout.
	Error string
}

// NemesisProcess is the process number of remarks by the harness that are not client calls.
const NemesisProcess = -1
