package env

import (
	"errors"
	"time"
)

// CommandHost is implemented by an Env whose machine can run programs of its operating system that do one
// thing and end, for example the agents of fence devices. It is not a part of Env.
type CommandHost interface {
	// CommandRunner returns the interface for such calls; nil if the machine has none.
	Commands() CommandRunner
}

// CommandRunner runs programs. No method waits for a program.
type CommandRunner interface {
	// Start starts a program, without a shell, and returns the id of the call. A program that has not
	// ended within the limit, or at the end of the process that called it, is killed. Work that it has
	// started elsewhere by then continues.
	Start(c Command) (CommandID, error)
	// Result reports whether a call has ended, and how. It reports the result of a call once.
	Result(id CommandID) (CommandResult, bool)
}

// CommandID identifies a call within one incarnation of a process, from 1.
type CommandID uint64

// Command is the program to run.
type Command struct {
	// Args is the program and its arguments. A name without a slash is looked up in the machine's
	// search path.
	Args []string
	// Input is the program's standard input.
	Input []byte
	// Limit bounds how long the program may run, in real time.
	Limit time.Duration
}

// MaxCallOutputBytes bounds the output of a program that is kept; further output is discarded.
const MaxCallOutputBytes = 64 << 10

// CommandResult is how a call ended.
type CommandResult struct {
	// Code is the program's exit code if it ended by itself.
	Code int
	// Err is not nil if there is no exit code: ErrCommandTimeout, or the program could not be started or
	// was ended by a signal. Its effects are unknown then.
	Err error
	// Output is the beginning of its standard output and standard error.
	Output []byte
}

// ErrCommandTimeout means that a program was killed because it exceeded its limit.
var ErrCommandTimeout = errors.New("the program was ended by force: its time was up")
