package envtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// echo notes its events.
type echo struct {
	env    env.Env
	notes  []string
	onStep func(ev env.Event)
}

func (p *echo) Start(e env.Env) error { p.env = e; return nil }

func (p *echo) Step(ev env.Event) {
	text := fmt.Sprintf("%v %T", p.env.Mono(), ev)
	switch ev := ev.(type) {
	case env.Received:
		text += fmt.Sprintf(" %d %s", ev.From, ev.Payload)
	case env.LocalMessage:
		text += fmt.Sprintf(" %s %s", ev.From, ev.Payload)
	case env.TimerFired:
		text += fmt.Sprintf(" %d", ev.ID)
	case env.LocalUp:
		text += " " + ev.Process
	case env.LocalDown:
		text += " " + ev.Process
	}
	p.notes = append(p.notes, text)
	if p.onStep != nil {
		p.onStep(ev)
	}
}

func start(t *testing.T, w *World, m env.MachineID, name string) (*Proc, *echo) {
	p := &echo{}
	proc, err := w.Start(m, name, p)
	require.NoError(t, err)
	return proc, p
}

func TestDatagramsTakeLatencyAndDelay(t *testing.T) {
	w := New()
	_, a := start(t, w, 0, "p")
	_, b := start(t, w, 1, "p")
	start(t, w, 1, "q")
	w.Delay = func(_, _ env.MachineID, _ string, payload []byte) time.Duration {
		return time.Duration(len(payload)) * time.Millisecond
	}
	w.Deliver = func(_, _ env.MachineID, _ string, payload []byte) bool { return string(payload) != "lost" }
	payload := []byte("slow")
	a.env.Send(1, 0, payload)
	copy(payload, "gone") // sent bytes were copied
	a.env.Send(1, 0, []byte("x"))
	a.env.Send(1, 0, []byte("lost"))
	a.env.Send(7, 0, []byte("no such machine"))
	w.RunFor(time.Second)
	require.Equal(t, []string{"0s env.LocalUp q", "1.5ms env.Received 0 x", "4.5ms env.Received 0 slow"},
		b.notes)
	require.Panics(t, func() { a.env.Send(1, 0, make([]byte, env.MaxDatagramBytes+1)) })
}

func TestTimersAreReplacedAndStopped(t *testing.T) {
	w := New()
	_, p := start(t, w, 0, "p")
	p.env.SetTimer(1, time.Second)
	p.env.SetTimer(1, 3*time.Second)
	p.env.SetTimer(2, time.Second)
	p.env.StopTimer(2)
	p.env.StopTimer(9)
	p.env.SetTimer(3, -time.Second)
	w.RunFor(time.Minute)
	require.Equal(t, []string{"0s env.TimerFired 3", "3s env.TimerFired 1"}, p.notes)
}

func TestLocalMessagesNeedAProcess(t *testing.T) {
	w := New()
	_, a := start(t, w, 0, "a")
	require.ErrorIs(t, a.env.Local("b", nil), env.ErrLocalDown)
	proc, b := start(t, w, 0, "b")
	require.NoError(t, a.env.Local("b", []byte("hello")))
	w.RunFor(time.Millisecond)
	w.LocalError = func(_ env.MachineID, from, to string) error { return env.ErrLocalFull }
	require.ErrorIs(t, a.env.Local("b", nil), env.ErrLocalFull)
	w.Kill(proc)
	require.ErrorIs(t, a.env.Local("b", nil), env.ErrLocalDown)
	w.RunFor(time.Millisecond)
	require.Equal(t, []string{"0s env.LocalUp a", "1µs env.LocalMessage a hello"}, b.notes)
	require.Equal(t, []string{"0s env.LocalUp b", "1ms env.LocalDown b"}, a.notes)
}

func TestARestartLosesTimersAndMessagesAndKeepsTheDisk(t *testing.T) {
	w := New()
	proc, old := start(t, w, 0, "p")
	old.env.SetTimer(1, time.Second)
	require.NoError(t, env.ReplaceFile(old.env.Disk(), "f", []byte("kept")))
	first := old.env.Rand("label").Uint64()
	w.Kill(proc)
	require.False(t, proc.Up())
	again, p := start(t, w, 0, "p")
	require.Same(t, proc, again)
	w.RunFor(time.Minute)
	require.Empty(t, p.notes)
	require.Empty(t, old.notes)
	require.EqualValues(t, 2, p.env.Self().Incarnation)
	require.NotEqual(t, first, p.env.Rand("label").Uint64(), "another incarnation draws other numbers")
	data, err := env.ReadFile(p.env.Disk(), "f", 10)
	require.NoError(t, err)
	require.Equal(t, "kept", string(data))
	w.WipeDisk(0)
	_, err = env.ReadFile(p.env.Disk(), "f", 10)
	require.ErrorIs(t, err, env.ErrNotExist)
}

func TestPausedProcessesGetTheirEventsLater(t *testing.T) {
	w := New()
	proc, p := start(t, w, 0, "p")
	p.env.SetTimer(1, time.Second)
	p.env.SetTimer(2, 2*time.Second)
	p.onStep = func(ev env.Event) {
		if ev == (env.TimerFired{ID: 1}) {
			p.env.StopTimer(2)
		}
	}
	w.Pause(proc)
	w.RunFor(5 * time.Second)
	require.Empty(t, p.notes)
	w.Resume(proc)
	w.RunFor(time.Second)
	require.Equal(t, []string{"5s env.TimerFired 1"}, p.notes, "the held timer 2 was stopped by the first")
}

func TestExitEndsAProcessAfterItsStep(t *testing.T) {
	w := New()
	proc, p := start(t, w, 0, "p")
	reason := errors.New("enough")
	p.onStep = func(env.Event) { p.env.Exit(reason) }
	var answers []string
	w.OnComplete = func(_ *Proc, op env.OpID, output []byte) {
		answers = append(answers, fmt.Sprintf("%d %s", op, output))
	}
	w.Invoke(proc, 1, []byte("one"))
	w.Invoke(proc, 2, []byte("two"))
	w.RunFor(time.Second)
	require.Equal(t, []string{"0s env.Invoked"}, p.notes)
	require.Equal(t, reason, proc.Ended())
	p.env.Complete(1, []byte("late"))
	require.Equal(t, []string{"1 late"}, answers, "observers see answers of any time")
}

func TestRandomStreamsAreIndependent(t *testing.T) {
	draw := func(labels ...string) (out []uint64) {
		w := New()
		_, p := start(t, w, 0, "p")
		for _, label := range labels {
			out = append(out, p.env.Rand(label).Uint64())
		}
		return out
	}
	require.Equal(t, draw("a", "a")[1], draw("a", "b", "b", "a")[3])
	require.NotEqual(t, draw("a"), draw("b"))
	w := New()
	_, p := start(t, w, 0, "p")
	var filled [13]byte
	p.env.Rand("a").Fill(filled[:])
	require.NotZero(t, filled[12])
}
