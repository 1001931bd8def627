package world

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// ErrOutsideStep means that a process used its env while none of its steps ran.
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
	return fmt.Sprintf("%v: %s/%s called %s at %v while none of its steps ran, so the call came from a "+
		"goroutine of its own; its stack ends with the line that started it", ErrOutsideStep, e.Machine,
		e.Process, e.Call, e.At)
}

// Unwrap implements the interface of package errors.
func (e *OutsideStepError) Unwrap() error { return ErrOutsideStep }

// mayCall reports whether the process may use a function of its env now: one of its steps runs. Otherwise the
// call must have no effect, and the run ends. A call of an incarnation that has ended is let through, because
// the function itself ignores it.
//
// A goroutine that calls while a step of the same process happens to run is not noticed: telling goroutines
// apart would cost more than most calls.
func (p *Proc) mayCall(function string) bool {
	return p.machine.world.runningProc == p || p.outsideStep(function)
}

// outsideStep stops the run, unless the process has ended. It may run in any goroutine.
func (p *Proc) outsideStep(function string) bool {
	if !p.up {
		return true
	}
	w := p.world()
	w.Kernel.Interrupt(&OutsideStepError{Machine: p.machine.name, Process: p.spec.Name, Call: function,
		At: w.Now(), Stack: callerLines(string(debug.Stack()))})
	return false
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
