package env

import (
	"errors"
	"time"
)

// CallHost is implemented by an Env whose machine can call programs of its operating system that do
// one thing and end, for example the agents of fence devices. It is no part of Env.
type CallHost interface {
	// Calls makes such calls; nil when the machine cannot.
	Calls() Calls
}

// Calls calls programs. No method waits for a program.
type Calls interface {
	// Start starts a program, without a shell in between, and names the call. A program that has
	// not ended within the limit, or at the end of the process that called it, is ended by force.
	// Whatever it had set going elsewhere by then goes on.
	Start(c Call) (CallID, error)
	// Result says whether a call is over and how it ended. It tells that once.
	Result(id CallID) (CallResult, bool)
}

// CallID names a call within the life of a process, from 1.
type CallID uint64

// Call is what to call.
type Call struct {
	// Command is the program and its arguments. A name without a slash is looked up where the
	// machine keeps its programs.
	Command []string
	// Input is what the program reads from its standard input.
	Input []byte
	// Limit is how long it may take, in real time.
	Limit time.Duration
}

// MaxCallOutputBytes bounds what is kept of a program's output; the rest is thrown away.
const MaxCallOutputBytes = 64 << 10

// CallResult is how a call ended.
type CallResult struct {
	// Code is the program's exit code when it ended by itself.
	Code int
	// Err says why there is no exit code: ErrCallTimeout, or the program could not be started or
	// was ended by a signal. What it may have done is unknown.
	Err error
	// Output is the beginning of what it wrote to its standard output and error.
	Output []byte
}

// ErrCallTimeout means that a program was ended by force because its time was up.
var ErrCallTimeout = errors.New("the program was ended by force: its time was up")
