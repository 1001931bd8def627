package env_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

// tasker is a process that runs tasks and notes what they do.
type tasker struct {
	env   env.Env
	tasks *env.Tasks
	begin func(*tasker)
	notes []string
	other []env.Event
}

func (p *tasker) Start(e env.Env) error {
	p.env, p.tasks = e, env.NewTasks(e, 100)
	p.begin(p)
	return nil
}

func (p *tasker) Step(ev env.Event) {
	if !p.tasks.Step(ev) {
		p.other = append(p.other, ev)
	}
}

func (p *tasker) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf("%v ", p.env.Mono())+fmt.Sprintf(format, args...))
}

func runTasks(t *testing.T, begin func(*tasker)) *tasker {
	w := envtest.New()
	p := &tasker{begin: begin}
	_, err := w.Start(0, "p", p)
	require.NoError(t, err)
	w.RunFor(time.Minute)
	return p
}

func TestTasksSleepSideBySide(t *testing.T) {
	p := runTasks(t, func(p *tasker) {
		for i := range 2 {
			p.tasks.Go(func(t *env.Task) {
				p.note("task %d starts", i)
				t.Sleep(time.Duration(2-i) * time.Second)
				p.note("task %d ends", i)
			})
		}
		p.note("Start returns")
	})
	require.Equal(t, []string{"0s task 0 starts", "0s task 1 starts", "0s Start returns",
		"1s task 1 ends", "2s task 0 ends"}, p.notes)
}

func TestWaitEndsWithTheSignalOrTheTimeout(t *testing.T) {
	p := runTasks(t, func(p *tasker) {
		var s env.Signal
		for i, timeout := range []time.Duration{0, time.Second, 5 * time.Second} {
			p.tasks.Go(func(t *env.Task) { p.note("task %d raised: %v", i, t.Wait(&s, timeout)) })
		}
		p.tasks.Go(func(t *env.Task) {
			t.Sleep(2 * time.Second)
			s.Raise()
			p.note("raised")
		})
	})
	require.Equal(t, []string{"1s task 1 raised: false", "2s raised", "2s task 0 raised: true",
		"2s task 2 raised: true"}, p.notes, "the waiting tasks run after the task that raises")
}

func TestRaiseOutsideOfTasksRunsThemAtOnce(t *testing.T) {
	p := runTasks(t, func(p *tasker) {
		var s env.Signal
		p.tasks.Go(func(t *env.Task) { p.note("first: %v", t.Wait(&s, time.Second)) })
		p.tasks.Go(func(t *env.Task) { p.note("second: %v", t.Wait(&s, 0)) })
		s.Raise()
		p.note("raised")
		s.Raise()
	})
	require.Equal(t, []string{"0s first: true", "0s second: true", "0s raised"}, p.notes)
	require.Empty(t, p.other, "the timeout of the first was withdrawn")
}

func TestTasksTakeNoTimersOfOthers(t *testing.T) {
	p := runTasks(t, func(p *tasker) {
		p.env.SetTimer(99, 0)
		p.env.SetTimer(100+env.MaxTasks, 0)
	})
	require.Equal(t, []env.Event{env.TimerFired{ID: 99}, env.TimerFired{ID: 100 + env.MaxTasks}}, p.other)
}

func TestTooManyTasksPanic(t *testing.T) {
	w := envtest.New()
	p := &tasker{begin: func(p *tasker) {
		for range env.MaxTasks {
			p.tasks.Go(func(t *env.Task) { t.Sleep(time.Second) })
		}
		require.PanicsWithValue(t, "env: more tasks than MaxTasks are alive: a task leaks",
			func() { p.tasks.Go(func(*env.Task) {}) })
	}}
	_, err := w.Start(0, "p", p)
	require.NoError(t, err)
	w.RunFor(2 * time.Second)
	p.tasks.Go(func(*env.Task) { p.note("ended tasks make room") })
	require.Len(t, p.notes, 1)
}
