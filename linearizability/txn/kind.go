package txn

import (
	"errors"
	"fmt"
)

// Kind is the shape of the data that transactions read and write.
type Kind string

const (
	// ListAppend has lists: append adds an element at the end, r returns the whole list. An absent list
	// is empty, and null as well as [] in histories.
	ListAppend Kind = "list-append"
	// RWRegister has registers: w sets the value, r returns it. An absent register is null.
	RWRegister Kind = "rw-register"
)

// ErrKind reports a kind that is not known.
var ErrKind = errors.New("unknown kind of transactions")

// Function is the function of an operation that is a transaction, as Jepsen writes it.
const Function = "txn"

// Kinds lists the kinds that [Check] knows.
func Kinds() []Kind { return []Kind{ListAppend, RWRegister} }

func (k Kind) functionNames() string {
	if k == ListAppend {
		return "append or r"
	}
	return "w or r"
}

func (k Kind) check() error {
	for _, known := range Kinds() {
		if k == known {
			return nil
		}
	}
	return fmt.Errorf("%w %q: use one of %v", ErrKind, string(k), Kinds())
}
