package sim_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/register"
	"github.com/holdfast-sim/holdfast/sim"
)

// onInvoked is a register that does something before it handles an operation.
type onInvoked struct {
	env.Process
	env env.Env
	do  func(e env.Env)
}

func (p *onInvoked) Start(e env.Env) error {
	p.env = e
	return p.Process.Start(e)
}

func (p *onInvoked) Step(ev env.Event) {
	if _, ok := ev.(env.Invoked); ok {
		p.do(p.env)
	}
	p.Process.Step(ev)
}

// runWith runs the register with something that each operation does first.
func runWith(t *testing.T, o scenarios.RunOptions, do func(e env.Env)) *scenarios.Run {
	t.Helper()
	s := rough()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	subject.(*register.Subject).NewProcess = func(c register.Config) env.Process {
		return &onInvoked{Process: register.New(c), do: do}
	}
	run, err := sim.Runner{}.Run(context.Background(), s, subject, o)
	require.NoError(t, err)
	return run
}

// verdictOf returns the verdict of a checker.
func verdictOf(t *testing.T, run *scenarios.Run, checker string) linearizability.Verdict {
	t.Helper()
	for _, v := range run.Verdicts {
		if v.Checker == checker {
			return v
		}
	}
	t.Fatalf("no verdict of %s: %+v", checker, run.Verdicts)
	return linearizability.Verdict{}
}

// TestStepWithoutEnd: the step is named with its process, time, seed and stack, and the next run is as usual.
func TestStepWithoutEnd(t *testing.T) {
	var released atomic.Bool
	var locked sync.Mutex
	locked.Lock()
	for name, wait := range map[string]func(env.Env){
		"busy loop": func(env.Env) {
			for !released.Load() {
			}
		},
		"lock": func(env.Env) {
			locked.Lock()
			locked.Unlock() //nolint:staticcheck // it only waits
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := runWith(t, scenarios.RunOptions{Seed: 3, StepTimeout: 150 * time.Millisecond}, wait)
			v := verdictOf(t, run, sim.StuckChecker)
			require.Equal(t, linearizability.Invalid, v.Validity)
			require.Regexp(t,
				`^a step of n\d/register did not end within 150ms of real time, at 1\.0\d+s of `+
					`virtual time \(seed 3\): it loops or waits`, v.Summary)
			require.Contains(t, strings.Join(v.Details, "\n"), "stuck_test.go", "the stack names the line")
			require.Empty(t, run.Digest, "such a run cannot be compared")
			require.NotEmpty(t, run.Events)
		})
	}
	require.Equal(t, linearizability.Valid, runRegister(t, 3).Verdict(), "later runs are as usual")
	released.Store(true)
	locked.Unlock()
}

// TestTooManyLostSteps: what a step without end occupies is not taken again and again.
func TestTooManyLostSteps(t *testing.T) {
	release := make(chan struct{})
	require.Eventually(t, func() bool { return sim.LostSteps() == 0 }, 10*time.Second, time.Millisecond)
	for range 3 {
		run := runWith(t, scenarios.RunOptions{StepTimeout: 50 * time.Millisecond},
			func(env.Env) { <-release })
		verdictOf(t, run, sim.StuckChecker)
	}
	s := rough()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	_, err = sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{})
	require.ErrorIs(t, err, sim.ErrLostSteps)
	close(release)
	require.Eventually(t, func() bool { return sim.LostSteps() == 0 }, 10*time.Second, time.Millisecond)
	_, err = sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{})
	require.NoError(t, err)
}

func TestParseStepTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "off": -1, "2m": 2 * time.Minute} {
		got, err := sim.ParseStepTimeout(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"30", "-1s", "0", "never"} {
		_, err := sim.ParseStepTimeout(text)
		require.ErrorContains(t, err, "write a duration such as 30s, or off")
	}
	t.Setenv(sim.StepTimeoutVariable, "long")
	s := rough()
	subject, err := register.Decode(s)
	require.NoError(t, err)
	_, err = sim.Runner{}.Run(context.Background(), s, subject, scenarios.RunOptions{})
	require.ErrorContains(t, err, `SIM_STEPTIMEOUT: step timeout "long"`)
}

// TestEnvOutsideOfAStep: while an operation is handled on one machine, a goroutine uses the env of another
// one, whose process runs no step.
func TestEnvOutsideOfAStep(t *testing.T) {
	for name, call := range map[string]func(e env.Env){
		"Send":      func(e env.Env) { e.Send(0, 0, []byte("x")) },
		"Local":     func(e env.Env) { _ = e.Local("register", nil) },
		"SetTimer":  func(e env.Env) { e.SetTimer(9, time.Second) },
		"StopTimer": func(e env.Env) { e.StopTimer(9) },
		"Complete":  func(e env.Env) { e.Complete(99, nil) },
		"Emit":      func(e env.Env) { e.Emit(nil) },
		"Probe":     func(e env.Env) { e.Probe("x") },
		"Exit":      func(e env.Env) { e.Exit(nil) },
		"Rand":      func(e env.Env) { e.Rand("x").Uint64() },
		"Log":       func(e env.Env) { e.Log().Info("x") },
		"Mono":      func(e env.Env) { e.Mono() },
		"Wall":      func(e env.Env) { e.Wall() },
		"Disk": func(e env.Env) {
			_, err := e.Disk().Open("x", env.Create)
			require.ErrorIs(t, err, env.ErrDead)
		},
		"Watchdog": func(e env.Env) { _ = e.(env.WatchdogHost).Watchdog().Arm(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			var other env.Env
			run := runWith(t, scenarios.RunOptions{Seed: 5, KeepLogs: true}, func(e env.Env) {
				if other == nil {
					other = e
				}
				if other.Self().Machine == e.Self().Machine {
					return
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					call(other)
				}()
				<-ended
			})
			v := verdictOf(t, run, "env")
			require.Equal(t, linearizability.Invalid, v.Validity)
			require.Regexp(t, `^env must only be used inside of Start and Step: n\d/register called `+name+
				` at \S+s from elsewhere.* \(seed 5\)$`, v.Summary)
			stack := strings.Join(v.Details, "\n")
			require.Contains(t, v.Details[0], "TestEnvOutsideOfAStep",
				"no frame of the simulator comes first")
			require.Contains(t, stack, "created by ")
			require.Contains(t, stack, "stuck_test.go")
			require.Empty(t, run.Digest)
		})
	}
}

// TestGoroutineDuringItsOwnStep: the step waits for a goroutine that calls env meanwhile.
func TestGoroutineDuringItsOwnStep(t *testing.T) {
	run := runWith(t, scenarios.RunOptions{Seed: 5}, func(e env.Env) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			e.Send(0, 0, nil)
		}()
		<-ended
	})
	require.Contains(t, verdictOf(t, run, "env").Summary, "register called Send at ")
}

// TestGoroutineAfterItsStep: it gets its turn, and is noticed, before the run is over.
func TestGoroutineAfterItsStep(t *testing.T) {
	run := runWith(t, scenarios.RunOptions{Seed: 5}, func(e env.Env) { go e.Probe("late") })
	verdictOf(t, run, "env")
}

// TestCoroutinesMayCall: coroutines, and stacks that grow during a step, belong to the step.
func TestCoroutinesMayCall(t *testing.T) {
	run := runWith(t, scenarios.RunOptions{Seed: 5}, func(e env.Env) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
				e.Probe("coroutine")
			}
		})
		defer stop()
		for range 3 {
			next()
		}
		deep(e, 1000)
	})
	require.Equal(t, linearizability.Valid, run.Verdict())
	require.Greater(t, run.Probes["coroutine"], 100)
	require.Greater(t, run.Probes["deep"], 100)
}

// deep calls env from some hundred kilobytes below its caller.
func deep(e env.Env, frames int) byte {
	var frame [512]byte
	if frames == 0 {
		e.Probe("deep")
		return frame[0]
	}
	frame[frames%len(frame)] = deep(e, frames-1)
	return frame[0]
}

// TestPanicOfAProcess: the verdict is one line, its stack is in the details.
func TestPanicOfAProcess(t *testing.T) {
	run := runWith(t, scenarios.RunOptions{}, func(env.Env) { panic("out of ideas") })
	v := verdictOf(t, run, "panic")
	require.Equal(t, "panic: out of ideas", v.Summary)
	require.Contains(t, strings.Join(v.Details, "\n"), "stuck_test.go")
}
