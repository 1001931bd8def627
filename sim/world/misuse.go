package world

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"
)

// ErrOutsideStep means that a process used its env, but not from a step of its own.
var ErrOutsideStep = errors.New("env must only be used inside of Start and Step")

// OutsideStepError is an ErrOutsideStep with the place.
type OutsideStepError struct {
	Machine, Process string
	Call             string        // the function of env.Env
	At               time.Duration // when the call was noticed
	Stack            []string      // of the goroutine that called; its end names the line that started it
}

// Error implements error.
func (e *OutsideStepError) Error() string {
	return fmt.Sprintf("%v: %s/%s called %s at %v from elsewhere, such as a goroutine that it has "+
		"started; the stack of the call ends with the line that started it", ErrOutsideStep, e.Machine,
		e.Process, e.Call, e.At)
}

// Unwrap implements the interface of package errors.
func (e *OutsideStepError) Unwrap() error { return ErrOutsideStep }

// mayCall reports whether the process may use a function of its env now: one of its steps runs, and the
// call comes from it. Otherwise the call must have no effect, and the run ends. A call of an incarnation that
// has ended is let through, because the function itself ignores it.
//
// Go does not tell goroutines apart, but their stacks are different memory, and the block of memory in which
// a local variable lies belongs to one stack. The block of the step's own frame belongs to the step; another
// block takes microseconds to prove, once, and is remembered.
func (p *Proc) mayCall(function string) bool {
	var here byte
	at := stackPlace{uintptr(unsafe.Pointer(&here)) / stackBlock, p.stepFrame / stackBlock}
	w := p.machine.world
	if w.runningProc == p && (at.block == at.frame || w.provenPlaces[at.slot()] == at) {
		return true
	}
	return p.mayCallFromAfar(function, at)
}

// stackBlock is the size of Go's smallest stacks. All are multiples of it, and so are their addresses.
const stackBlock = 2048

// stackPlace is a block of a stack, seen from a step that began in the block of a frame: when the stack of
// the step moves, so does its frame, and what was proven before no longer counts.
type stackPlace struct{ block, frame uintptr }

// provenSlots is how many proven places a world remembers, each at a slot of its own.
const provenSlots = 1024

func (at stackPlace) slot() uintptr { return (at.block ^ at.frame*31) % provenSlots }

// mayCallFromAfar is mayCall where the stack is no proof yet: it is deep, or the process uses coroutines. It
// may run in any goroutine.
func (p *Proc) mayCallFromAfar(function string, at stackPlace) bool {
	w := p.world()
	switch {
	case !p.up:
		return true
	case w.runningProc == p && onCoroutine():
		w.provenPlaces[at.slot()] = at
		return true
	}
	w.Kernel.Interrupt(&OutsideStepError{Machine: p.machine.name, Process: p.spec.Name, Call: function,
		At: w.Now(), Stack: callerLines(string(debug.Stack()))})
	return false
}

// stackBytes holds the stack of a goroutine as text, of which Go shows a hundred frames at most.
const stackBytes = 64 << 10

// onCoroutine reports whether the caller runs on a coroutine, as everything of a run does, rather than on a
// goroutine that a process has started.
func onCoroutine() bool {
	stack := make([]byte, stackBytes)
	n := runtime.Stack(stack, false)
	return n == len(stack) || bytes.Contains(stack[:n], []byte("\ncreated by iter.Pull"))
}

// ownFrames begins the functions of a stack that show nothing to the author of a process.
var ownFrames = []string{"runtime/debug.Stack(", "log/slog.", "github.com/holdfast-sim/holdfast/sim/world."}

// callerLines are the lines of a stack without its heading and the frames of the simulator.
func callerLines(stack string) []string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	var kept []string
	for i := 1; i+1 < len(lines); i += 2 { // a line for the function, a line for its place
		own := false
		for _, prefix := range ownFrames {
			own = own || strings.HasPrefix(lines[i], prefix)
		}
		if !own {
			kept = append(kept, lines[i], strings.ReplaceAll(lines[i+1], "\t", "    "))
		}
	}
	return kept
}
