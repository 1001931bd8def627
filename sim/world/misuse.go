package world

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/petermattis/goid"
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
// A call is from the step if its goroutine runs the step, or is a coroutine, as those of env.Tasks are. A
// coroutine that a goroutine of the process has started is not noticed.
func (p *Proc) mayCall(function string) bool {
	w := p.machine.world
	id := goid.Get()
	if w.runningProc == p && (id == p.stepGoroutine || w.coroutines.contains(id)) {
		return true
	}
	return p.mayCallFromOtherGoroutine(function, id)
}

// coroutines remembers goroutines that are coroutines. Each has one slot, so an older one may be
// forgotten, and is proven again. The runtime never uses the number of a goroutine twice.
type coroutines [4096]int64

func (c *coroutines) slot(id int64) *int64 { return &c[uint64(id)%uint64(len(c))] }

func (c *coroutines) contains(id int64) bool { return *c.slot(id) == id }

// beginStep notes which goroutine runs the step.
func (p *Proc) beginStep() {
	p.world().runningProc, p.stepping = p, true
	p.stepGoroutine = goid.Get()
}

// mayCallFromOtherGoroutine is mayCall for a goroutine that is not known yet. It may run in any goroutine.
func (p *Proc) mayCallFromOtherGoroutine(function string, id int64) bool {
	w := p.world()
	if !p.up {
		return true
	}
	if w.runningProc == p && isCoroutine() {
		*w.coroutines.slot(id) = id
		return true
	}
	w.Kernel.Interrupt(&OutsideStepError{Machine: p.machine.name, Process: p.spec.Name, Call: function,
		At: w.Now(), Stack: callerLines(string(debug.Stack()))})
	return false
}

const (
	// coroutineStart is the runtime's function at the bottom of every coroutine of iter.Pull.
	coroutineStart = "runtime.corostart"
	// framesAtOnce is how many frames of a stack are read at once, and maxFrames how many in all. A
	// deeper stack counts as one of a coroutine.
	framesAtOnce, maxFrames = 64, 1 << 16
)

// isCoroutine reports whether the calling goroutine is a coroutine.
func isCoroutine() bool {
	var frames [framesAtOnce]uintptr
	for skip := 0; skip < maxFrames; skip += framesAtOnce {
		count := runtime.Callers(skip, frames[:])
		// The last one is the runtime's end of goroutines.
		for _, frame := range frames[max(0, count-2):count] {
			if f := runtime.FuncForPC(frame - 1); f != nil && f.Name() == coroutineStart {
				return true
			}
		}
		if count < framesAtOnce {
			return false
		}
	}
	return true
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
