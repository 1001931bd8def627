package sim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// DefaultStepTimeout is how much real time one step may take unless options or environment say otherwise. A
// step takes microseconds; this one is for slow machines under load.
const DefaultStepTimeout = 30 * time.Second

// StepTimeoutVariable is the environment variable that replaces [DefaultStepTimeout].
const StepTimeoutVariable = "SIM_STEPTIMEOUT"

// StuckChecker is the name of the verdict on a step that did not end.
const StuckChecker = "stuck"

// ErrLostSteps means that steps of earlier runs have not ended. Their goroutines cannot be ended and may
// occupy processors, so no further run begins in this process.
var ErrLostSteps = errors.New("steps of earlier runs have never ended, and still occupy this process")

// maxLostSteps is how many steps that never end one process bears.
const maxLostSteps = 3

// lostSteps counts the steps of this process that have not ended in time and are still under way.
var lostSteps atomic.Int32

// watchTicks is how many times within the limit a run must fail to give a sign of life. With several
// looks a process that was stopped as a whole, for example by Ctrl-Z, is no violation.
const watchTicks = 10

// ParseStepTimeout reads a limit for one step: a duration such as 30s, or off. "" is 0, the default.
func ParseStepTimeout(text string) (time.Duration, error) {
	switch text {
	case "":
		return 0, nil
	case "off":
		return -1, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("step timeout %q: write a duration such as 30s, or off", text)
	}
	return d, nil
}

// stepTimeout is the limit that applies to a run; negative: none.
func stepTimeout(o scenarios.RunOptions) (time.Duration, error) {
	if o.StepTimeout != 0 {
		return o.StepTimeout, nil
	}
	d, err := ParseStepTimeout(os.Getenv(StepTimeoutVariable))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", StepTimeoutVariable, err)
	}
	if d == 0 {
		d = DefaultStepTimeout
	}
	return d, nil
}

// runEnd is how the goroutine of a run has ended.
type runEnd struct {
	err      error
	returned bool   // otherwise it panicked, or called runtime.Goexit
	panicked any    // nil after runtime.Goexit
	stack    []byte // of the panic
}

// stuckStep is a step that did not end within its limit of real time.
type stuckStep struct {
	limit time.Duration
	where string
	at    time.Duration // virtual time
	stack []string
}

// runWatched runs to the end, on a goroutine of its own, while this one watches it from outside: a step that
// never ends would otherwise end nothing. The watch has no influence on the run, which answers with one
// atomic variable.
func (r *run) runWatched(limit time.Duration) (error, *stuckStep) {
	done := make(chan runEnd, 1)
	go func() {
		var end runEnd
		defer func() {
			if !end.returned {
				end.panicked, end.stack = recover(), debug.Stack()
			}
			done <- end
		}()
		end.err = r.runToEnd()
		end.returned = true
	}()
	if limit < 0 {
		return (<-done).result(), nil
	}
	ticks := time.NewTicker(max(limit/watchTicks, 1))
	defer ticks.Stop()
	for silent := 0; ; {
		select {
		case end := <-done:
			return end.result(), nil
		case <-ticks.C:
		}
		if silent++; r.world.Kernel.Answered() || !r.inKernel.Load() {
			silent = 0
		}
		if silent >= watchTicks {
			lostSteps.Add(1)
			r.world.Kernel.Interrupt(errors.New("the step ended too late"))
			go func() {
				<-done
				lostSteps.Add(-1)
			}()
			return nil, r.stuckStep(limit)
		}
		r.world.Kernel.Ask()
	}
}

// result returns the run's error, and passes a panic or an end of the goroutine on.
func (e runEnd) result() error {
	switch {
	case e.panicked != nil:
		panic(fmt.Sprintf("%v\n%s", e.panicked, e.stack))
	case !e.returned:
		runtime.Goexit()
	}
	return e.err
}

// stuckStep describes the step under way. The goroutine that runs it does not answer, so there is no
// synchronization with it.
//
//go:norace
func (r *run) stuckStep(limit time.Duration) *stuckStep {
	return &stuckStep{limit: limit, where: r.world.Running(), at: r.world.Now(), stack: stuckStack()}
}

// maxStackBytes bounds the stacks of all goroutines, of which one is shown.
const maxStackBytes = 4 << 20

// stuckStack is the stack of the goroutine that runs the step. Everything of a run is on coroutines, and all
// but one of them wait to be continued.
func stuckStack() []string {
	all := make([]byte, maxStackBytes)
	all = all[:runtime.Stack(all, true)]
	for stack := range strings.SplitSeq(string(all), "\n\n") {
		heading, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(stack, "created by iter.Pull") && !strings.Contains(heading, "[coroutine") {
			return stackLines(stack)
		}
	}
	return nil
}

// maxStackLines is how many lines of a stack a verdict has.
const maxStackLines = 60

func stackLines(stack string) []string {
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(stack, "\t", "    ")), "\n")
	return lines[:min(len(lines), maxStackLines)]
}

// abandonedRun makes a run with a violation of one whose step never ends. Nothing of its world may be ended
// or judged: the step is still under way.
func (r *run) abandonedRun(stuck *stuckStep) *run {
	out := *r.result
	out.Events = r.history.Events()
	out.Applied, out.Untriggered = r.faults.Applied(), r.faults.Untriggered()
	out.Duration, out.Steps = stuck.at, r.world.Steps()
	out.Verdicts = append(out.Verdicts, linearizability.Verdict{Checker: StuckChecker,
		Validity: linearizability.Invalid, Details: stuck.stack,
		Summary: fmt.Sprintf("a step of %s did not end within %v of real time, at %v of virtual time "+
			"(seed %d): it loops or waits. Its goroutine cannot be ended; %s changes the limit", stuck.where,
			stuck.limit, stuck.at, out.Seed, StepTimeoutVariable)})
	return &run{scenario: r.scenario, subject: r.subject, options: r.options, result: &out, cutShort: true}
}
