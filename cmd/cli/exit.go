package cli

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/linearizability"
)

// Exit codes. A time-out or a check that could not decide is never a success.
const (
	ExitValid    = 0   // every run ended as its scenario expects
	ExitInvalid  = 1   // some run did not
	ExitUnknown  = 2   // some run could not be decided, or was not made
	ExitUsage    = 254 // the command line or a file is wrong
	ExitInternal = 255 // the harness failed
)

// exit is an error that decides the exit code. Its err is nil when everything has been printed.
type exit struct {
	code int
	err  error
}

// Error returns the text of the error, or the exit code.
func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the error behind the exit code.
func (e *exit) Unwrap() error { return e.err }

// Usage marks an error as one of the command line or of a file that it names: the program exits with
// [ExitUsage].
func Usage(err error) error { return &exit{ExitUsage, err} }

func usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// internalError marks an error as one of the harness or of the computer, not of the subject.
func internalError(err error) error { return &exit{ExitInternal, err} }

// exitFor ends a command that has printed its result.
func exitFor(v linearizability.Validity) error {
	switch v {
	case linearizability.Valid:
		return nil
	case linearizability.Invalid:
		return &exit{code: ExitInvalid}
	}
	return &exit{code: ExitUnknown}
}

// endOf ends a command with its result, or with what is wrong with its input.
func endOf(v linearizability.Validity, err error) error {
	if err != nil {
		return Usage(err)
	}
	return exitFor(v)
}

// worseValidity returns the worse of two results: invalid before unknown before valid.
func worseValidity(a, b linearizability.Validity) linearizability.Validity {
	return linearizability.Worst([]linearizability.Verdict{{Validity: a}, {Validity: b}})
}
