package world_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// script is a process made of functions.
type script struct {
	start func(env.Env) error
	step  func(env.Env, env.Event)
	env   env.Env
}

func (s *script) Start(e env.Env) error {
	s.env = e
	if s.start == nil {
		return nil
	}
	return s.start(e)
}

func (s *script) Step(ev env.Event) {
	if s.step != nil {
		s.step(s.env, ev)
	}
}

// cast gives every machine the same processes.
type cast map[string]func() *script

func (c cast) Files(env.MachineID) []scenarios.File { return nil }

func (c cast) Processes(env.MachineID) []scenarios.ProcessSpec {
	var specs []scenarios.ProcessSpec
	for _, name := range []string{"a", "b", "c"} {
		if c[name] != nil {
			specs = append(specs, scenarios.ProcessSpec{Name: name, Restart: time.Second,
				New: func() env.Process { return c[name]() }})
		}
	}
	return specs
}

func build(t *testing.T, machines int, seed uint64, c cast) *world.World {
	t.Helper()
	w := world.New(world.Config{Seed: seed, Names: scenarios.Count(machines),
		Base:    fault.Condition{Latency: time.Millisecond},
		Disk:    scenarios.Disk{Write: 10 * time.Microsecond, Sync: time.Millisecond},
		Builder: c}, choice.New(choice.Options{Seed: seed}))
	t.Cleanup(w.Close)
	for i := range machines {
		w.MachineAt(i).PowerOn()
	}
	return w
}

func runFor(t *testing.T, w *world.World, d time.Duration) {
	t.Helper()
	require.NoError(t, w.Kernel.Run(int64(w.Now()+d)))
}

func TestTimersThatAreReplacedOrStoppedDoNotFire(t *testing.T) {
	var fired []string
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				e.SetTimer(1, 10*time.Millisecond)
				e.SetTimer(1, 50*time.Millisecond) // later
				e.SetTimer(2, 50*time.Millisecond)
				e.SetTimer(2, 20*time.Millisecond) // earlier
				e.SetTimer(3, 30*time.Millisecond)
				e.StopTimer(3)
				return nil
			},
			step: func(e env.Env, ev env.Event) {
				if f, ok := ev.(env.TimerFired); ok {
					fired = append(fired, fmt.Sprintf("%d@%v", f.ID, e.Mono().Round(time.Millisecond)))
				}
			}}
	}})
	runFor(t, w, time.Second)
	require.Equal(t, []string{"2@21ms", "1@51ms"}, fired)
}

func TestManyTimersOfOneProcess(t *testing.T) {
	fired := 0
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				for id := range env.TimerID(200) {
					e.SetTimer(id, time.Duration(id)*time.Millisecond)
				}
				for id := env.TimerID(0); id < 200; id += 2 {
					e.StopTimer(id)
				}
				return nil
			},
			step: func(_ env.Env, ev env.Event) {
				require.Equal(t, env.TimerID(1), ev.(env.TimerFired).ID%2)
				fired++
			}}
	}})
	runFor(t, w, time.Second)
	require.Equal(t, 100, fired)
}

// A pause in the middle of a write is seen by the next clock reading, and another process of
// the machine writes in between.
func TestPauseInTheMiddleOfAStep(t *testing.T) {
	var took time.Duration
	var other time.Duration
	w := build(t, 1, 1, cast{
		"a": func() *script {
			return &script{step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); !ok {
					return
				}
				f, err := e.Disk().Open("a", env.Create)
				require.NoError(t, err)
				before := e.Mono()
				require.NoError(t, f.Sync())
				took = e.Mono() - before
				b, err := env.ReadFile(e.Disk(), "b", 100)
				require.NoError(t, err)
				require.Equal(t, "written meanwhile", string(b))
			}, start: func(e env.Env) error { e.SetTimer(1, 100*time.Millisecond); return nil }}
		},
		"b": func() *script {
			return &script{step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); !ok {
					return
				}
				f, err := e.Disk().Open("b", env.Create)
				require.NoError(t, err)
				_, err = f.WriteAt([]byte("written meanwhile"), 0)
				require.NoError(t, err)
				other = e.Mono()
			}, start: func(e env.Env) error { e.SetTimer(1, 101*time.Millisecond); return nil }}
		}})
	runFor(t, w, 101*time.Millisecond+100*time.Microsecond)
	w.MachineAt(0).Proc("a").Pause()
	runFor(t, w, 5*time.Second)
	require.Zero(t, took, "a paused process went on")
	w.MachineAt(0).Proc("a").Unpause()
	runFor(t, w, time.Second)
	require.Greater(t, took, 5*time.Second)
	require.Less(t, other, 110*time.Millisecond)
}

// A process that is killed in the middle of a disk call does nothing more.
func TestKillInTheMiddleOfAStep(t *testing.T) {
	var after, unwound, starts int
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error { starts++; e.SetTimer(1, 10*time.Millisecond); return nil },
			step: func(e env.Env, ev env.Event) {
				f, err := e.Disk().Open("file", env.Create)
				require.NoError(t, err)
				defer func() {
					if unwound++; unwound > 1 {
						return
					}
					_, err := f.WriteAt([]byte("too late"), 0)
					require.ErrorIs(t, err, env.ErrDead)
					e.Send(0, 0, []byte("too late"))
				}()
				_ = f.Sync()
				after++
			}}
	}})
	runFor(t, w, 11*time.Millisecond+500*time.Microsecond)
	w.MachineAt(0).Proc("a").Kill()
	require.Equal(t, 1, unwound)
	runFor(t, w, 100*time.Millisecond)
	require.Zero(t, after)
	require.Equal(t, 1, starts)
	w.MachineAt(0).Proc("a").Revive()
	runFor(t, w, 100*time.Millisecond)
	require.Equal(t, 2, starts)
	require.Equal(t, 1, after, "the new incarnation works")
	require.Equal(t, 2, unwound)
}

// Tasks wait in blocking style; a disk call in one suspends the process, and the end of the
// process ends them all.
func TestTasks(t *testing.T) {
	var log []string
	ended := 0
	note := func(e env.Env, what string) {
		log = append(log, fmt.Sprintf("%s@%d", what, e.Mono().Milliseconds()))
	}
	w := build(t, 1, 1, cast{"a": func() *script {
		s := &script{}
		var tasks *env.Tasks
		s.start = func(e env.Env) error {
			tasks = env.NewTasks(e, 1000)
			var ready env.Signal
			tasks.Go(func(t *env.Task) {
				defer func() { ended++ }()
				t.Sleep(100 * time.Millisecond)
				note(e, "slept")
				f, err := e.Disk().Open("x", env.Create)
				if err == nil {
					err = f.Sync()
				}
				note(e, fmt.Sprint("synced ", err))
				ready.Raise()
				t.Sleep(time.Hour)
			})
			tasks.Go(func(t *env.Task) {
				defer func() { ended++ }()
				note(e, fmt.Sprint("early ", t.Wait(&ready, 50*time.Millisecond)))
				note(e, fmt.Sprint("later ", t.Wait(&ready, time.Minute)))
			})
			tasks.Go(func(t *env.Task) {
				defer func() { ended++ }()
				t.Sleep(300 * time.Millisecond)
				f, _ := e.Disk().Open("x", env.Create)
				tasks.Go(func(inner *env.Task) { // a task within a task
					_ = f.Sync()
					note(e, "inner")
				})
				_ = f.Sync()
				note(e, "never")
			})
			return nil
		}
		s.step = func(_ env.Env, ev env.Event) { tasks.Step(ev) }
		return s
	}})
	runFor(t, w, 302*time.Millisecond+700*time.Microsecond)
	require.Equal(t, []string{"early false@51", "slept@101", "synced <nil>@102", "later true@102"}, log[:4])
	w.MachineAt(0).Proc("a").Kill()
	runFor(t, w, time.Second)
	require.Equal(t, 3, ended)
	require.NotContains(t, fmt.Sprint(log), "never")
}

func TestLocalMessagesKeepTheirOrder(t *testing.T) {
	for seed := range uint64(20) {
		var got []byte
		var ups int
		w := build(t, 1, seed, cast{
			"a": func() *script {
				return &script{step: func(e env.Env, ev env.Event) {
					if up, ok := ev.(env.LocalUp); ok && up.Process == "b" {
						for i := range byte(100) {
							require.NoError(t, e.Local("b", []byte{i}))
						}
					}
				}}
			},
			"b": func() *script {
				return &script{step: func(_ env.Env, ev env.Event) {
					switch ev := ev.(type) {
					case env.LocalMessage:
						got = append(got, ev.Payload...)
					case env.LocalUp:
						ups++
					}
				}}
			}})
		runFor(t, w, time.Second)
		require.Len(t, got, 100)
		for i := range got {
			require.Equal(t, byte(i), got[i])
		}
		require.Equal(t, 1, ups)
	}
}

// After a pause the order of what is due is a choice: different seeds see different ones.
func TestOrderAfterAPauseIsAChoice(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(40) {
		order := ""
		w := build(t, 2, seed, cast{"a": func() *script {
			return &script{
				start: func(e env.Env) error {
					e.SetTimer(1, 20*time.Millisecond)
					if e.Self().Machine == 1 {
						e.SetTimer(2, 20*time.Millisecond)
					}
					return nil
				},
				step: func(e env.Env, ev env.Event) {
					switch ev := ev.(type) {
					case env.TimerFired:
						if e.Self().Machine == 0 {
							e.Send(1, 0, []byte("x"))
							e.Send(1, 0, []byte("y"))
							return
						}
						order += fmt.Sprint(ev.ID)
					case env.Received:
						order += string(ev.Payload)
					}
				}}
		}})
		runFor(t, w, 10*time.Millisecond)
		w.MachineAt(1).Proc("a").Pause()
		runFor(t, w, time.Second)
		require.Empty(t, order)
		w.MachineAt(1).Proc("a").Unpause()
		runFor(t, w, time.Second)
		require.Len(t, order, 4)
		require.Regexp(t, "x.*y", order, "one socket keeps its order")
		orders[order] = true
	}
	require.Greater(t, len(orders), 6)
}

func TestSocketBufferOverflows(t *testing.T) {
	got := 0
	w := build(t, 2, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				if e.Self().Machine == 0 {
					e.SetTimer(1, 20*time.Millisecond)
				}
				return nil
			},
			step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); ok {
					for range 1000 {
						e.Send(1, 0, make([]byte, 1000))
					}
					return
				}
				got++
			}}
	}})
	runFor(t, w, 10*time.Millisecond)
	w.MachineAt(1).Proc("a").Pause()
	runFor(t, w, time.Second)
	w.MachineAt(1).Proc("a").Unpause()
	runFor(t, w, time.Second)
	require.Equal(t, 212, got)
}

func TestClockDriftMovesTimers(t *testing.T) {
	var at []time.Duration
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error { e.SetTimer(1, time.Second); return nil },
			step:  func(env.Env, env.Event) {}}
	}, "b": func() *script {
		return &script{
			start: func(e env.Env) error { e.SetTimer(1, 10*time.Second); return nil },
			step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); ok {
					at = append(at, e.Mono())
				}
			}}
	}})
	f := &fault.Fault{Kind: fault.ClockDrift, DriftPPM: 100_000}
	runFor(t, w, time.Second)
	endDrift := inject(t, w.MachineAt(0), f) // one tenth faster
	runFor(t, w, 8*time.Second)
	require.Empty(t, at)
	runFor(t, w, 200*time.Millisecond)
	require.Len(t, at, 1, "10 s on the fast clock are over after 9.18 s")
	require.InDelta(t, 10.002, at[0].Seconds(), 0.001)
	step := &fault.Fault{Kind: fault.ClockStep, Step: time.Hour}
	inject(t, w.MachineAt(0), step)()
	endDrift()
}

// inject begins a fault on a machine and returns what ends it.
func inject(t *testing.T, m *world.Machine, f *fault.Fault) (end func()) {
	t.Helper()
	e, err := m.Effect(f)
	require.NoError(t, err)
	e.Begin()
	return e.End
}

// TestAStallHitsTheCallUnderWay: the process waits in one call, so that no other call begins during the
// stall.
func TestAStallHitsTheCallUnderWay(t *testing.T) {
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error { e.SetTimer(1, 10*time.Millisecond); return nil },
			step: func(e env.Env, _ env.Event) {
				f, err := e.Disk().Open("f", env.Create)
				if err == nil {
					_ = f.Sync()
				}
				e.SetTimer(1, time.Second)
			},
		}
	}})
	m := w.MachineAt(0)
	e, err := m.Effect(&fault.Fault{Kind: fault.DiskStall})
	require.NoError(t, err)
	runFor(t, w, 11*time.Millisecond+500*time.Microsecond) // in the sync, which takes a millisecond
	e.Begin()
	runFor(t, w, 500*time.Millisecond)
	e.End()
	require.EqualValues(t, 1, e.Hits())
}

func TestDiskFaults(t *testing.T) {
	var errs []error
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error { e.SetTimer(1, 10*time.Millisecond); return nil },
			step: func(e env.Env, ev env.Event) {
				f, err := e.Disk().Open("f", env.Create)
				if err == nil {
					_, err = f.WriteAt([]byte(fmt.Sprint(e.Mono())), int64(len(errs))*100)
				}
				if err == nil {
					err = f.Sync()
				}
				errs = append(errs, err)
				e.SetTimer(1, 100*time.Millisecond)
			}}
	}})
	m := w.MachineAt(0)
	with := func(f fault.Fault) error {
		t.Helper()
		before := len(errs)
		end := inject(t, m, &f)
		runFor(t, w, 150*time.Millisecond)
		end()
		require.Greater(t, len(errs), before)
		return errs[len(errs)-1]
	}
	require.ErrorIs(t, with(fault.Fault{Kind: fault.DiskError, Operation: "write"}), env.ErrIO)
	require.ErrorIs(t, with(fault.Fault{Kind: fault.DiskError, Operation: "sync"}), env.ErrIO)
	require.ErrorIs(t, with(fault.Fault{Kind: fault.DiskFull}), env.ErrNoSpace)
	require.NoError(t, with(fault.Fault{Kind: fault.DiskSlow, Latency: time.Millisecond}))
	stall := fault.Fault{Kind: fault.DiskStall}
	before := len(errs)
	end := inject(t, m, &stall)
	runFor(t, w, 10*time.Second)
	require.LessOrEqual(t, len(errs), before+1)
	end()
	runFor(t, w, time.Second)
	require.Greater(t, len(errs), before+5)
}

func TestExitIsRestartedByTheServiceManager(t *testing.T) {
	starts := 0
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				starts++
				if starts == 2 {
					return errors.New("not today")
				}
				e.SetTimer(1, 10*time.Millisecond)
				return nil
			},
			step: func(e env.Env, ev env.Event) {
				if starts == 1 {
					e.Exit(errors.New("enough"))
				}
			}}
	}})
	runFor(t, w, 5*time.Second)
	require.Equal(t, 3, starts)
	require.True(t, w.MachineAt(0).Proc("a").Up())
}
