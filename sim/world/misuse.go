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
// Go does not tell goroutines apart, but their stacks are different memory, and what lies between two
// places of one stack belongs to it. So a call from between the step's own frame and the deepest proven
// call is from the step; a deeper one takes microseconds to prove, once. A call from memory that another
// stack has taken over since is not noticed.
func (p *Proc) mayCall(function string) bool {
	var local byte
	here := uintptr(unsafe.Pointer(&local))
	w := p.machine.world
	if w.runningProc == p && (p.stepStack.contains(here) || w.coroutineBlocks.contains(here)) {
		return true
	}
	return p.mayCallFromAfar(function, here)
}

// stackRange is a part of a stack, from its deepest to its highest known place; stacks grow downwards.
type stackRange struct{ deepest, highest uintptr }

func (r stackRange) contains(place uintptr) bool { return r.deepest <= place && place <= r.highest }

// maxStackRange limits how far apart two places of a range may be. A stack that moved lies elsewhere.
const maxStackRange = 1 << 20

// stackMargin is how much below a proven place counts as the same stack, which most often has room there.
// It saves most proofs, at the price of calls from a neighbouring stack that go unnoticed.
const stackMargin = 16 << 10

// add adds a place of the same stack. What is too far from it is forgotten: the stack has moved.
func (r *stackRange) add(place uintptr) {
	deepest, highest := min(r.deepest, place-stackMargin), max(r.highest, place)
	if highest-deepest > maxStackRange {
		deepest, highest = place-stackMargin, place
	}
	r.deepest, r.highest = deepest, highest
}

// stackBlocks remembers blocks of memory that lay in the stacks of coroutines which processes use, such as
// those of env.Tasks. Each block has one slot, so an older one may be forgotten, and is proven again.
type stackBlocks [4096]uintptr

// stackBlock is the size of Go's smallest stacks. All are multiples of it, and so are their addresses.
const stackBlock = 2048

func (b *stackBlocks) contains(place uintptr) bool {
	block := place / stackBlock
	return b[block%uintptr(len(b))] == block
}

// add adds the block of a place, and those within the margin below it.
func (b *stackBlocks) add(place uintptr) {
	for block := (place - stackMargin) / stackBlock; block <= place/stackBlock; block++ {
		b[block%uintptr(len(b))] = block
	}
}

// beginStep notes where on its stack a step begins. What earlier steps that began there have proven still
// counts.
func (p *Proc) beginStep(frame uintptr) {
	w := p.world()
	w.runningProc, p.stepping = p, true
	p.stepFrame = frame
	p.stepStack = stackRange{frame, frame}
	if deepest, known := w.deepestByFrame[frame]; known {
		p.stepStack.deepest = deepest
	}
}

// mayCallFromAfar is mayCall where the stack is no proof yet: it is deep, has moved, or the process uses
// coroutines. It may run in any goroutine.
func (p *Proc) mayCallFromAfar(function string, here uintptr) bool {
	w := p.world()
	if !p.up {
		return true
	}
	if w.runningProc == p {
		ofStep, ofRun := stackOrigin()
		if ofStep {
			p.stepStack.add(here)
			w.deepestByFrame[p.stepFrame] = p.stepStack.deepest
		}
		if ofRun && !ofStep {
			w.coroutineBlocks.add(here)
		}
		if ofStep || ofRun {
			return true
		}
	}
	w.Kernel.Interrupt(&OutsideStepError{Machine: p.machine.name, Process: p.spec.Name, Call: function,
		At: w.Now(), Stack: callerLines(string(debug.Stack()))})
	return false
}

// stepFunction begins the functions that run a step, in the text of a stack.
const stepFunction = "sim/world.(*Proc).run"

// stackBytes holds the stack of a goroutine as text, of which Go shows a hundred frames at most.
const stackBytes = 64 << 10

// stackOrigin reports whether the caller's goroutine runs a step, and whether it is a coroutine, as
// everything of a run is, rather than a goroutine that a process has started.
func stackOrigin() (step, coroutine bool) {
	text := make([]byte, stackBytes)
	text = text[:runtime.Stack(text, false)]
	if len(text) == stackBytes {
		return false, true // cut off, so it is unknown
	}
	return bytes.Contains(text, []byte(stepFunction)), bytes.Contains(text, []byte("\ncreated by iter.Pull"))
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
