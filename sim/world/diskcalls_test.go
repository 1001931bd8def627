package world_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// steadyWriter writes its number and syncs, every 10 ms. It notes which calls have returned, and what it
// found at its start.
type steadyWriter struct {
	found    []string // at each start
	returned []string // since the last start
	failed   []string
}

func (s *steadyWriter) cast() cast {
	return cast{"a": func() *script {
		s.returned = nil
		number := byte(0)
		return &script{
			start: func(e env.Env) error {
				content, err := env.ReadFile(e.Disk(), "f", 1000)
				if err != nil && !errors.Is(err, env.ErrNotExist) {
					return err
				}
				s.found = append(s.found, fmt.Sprint(content))
				e.SetTimer(1, 10*time.Millisecond)
				return nil
			},
			step: func(e env.Env, _ env.Event) {
				number++
				f, err := e.Disk().Open("f", env.Create)
				s.note("open", err)
				if err != nil {
					return
				}
				_, err = f.WriteAt([]byte{number}, int64(number-1))
				s.note(fmt.Sprintf("write %d", number), err)
				s.note(fmt.Sprintf("sync %d", number), f.Sync())
				e.SetTimer(1, 10*time.Millisecond)
			}}
	}, "b": func() *script { return &script{} }}
}

func (s *steadyWriter) note(call string, err error) {
	s.returned = append(s.returned, call)
	if err != nil {
		s.failed = append(s.failed, fmt.Sprint(call, ": ", err))
	}
}

// effect begins a fault of the first machine and returns its effect.
func effect(t *testing.T, w *world.World, f *fault.Fault) world.Effect {
	t.Helper()
	e, err := w.MachineAt(0).Effect(f)
	require.NoError(t, err)
	e.Begin()
	return e
}

// The calls of the writer are: create, write 1, sync 1, write 2, sync 2, ...
func TestCrashAtADiskCall(t *testing.T) {
	for _, c := range []struct {
		fault fault.Fault
		last  string   // the last call that returned
		found []string // at the second start: a power cut may keep a pending write
	}{
		{fault.Fault{Kind: fault.PowerCut, AtDiskCall: 1}, "", []string{"[]"}},
		{fault.Fault{Kind: fault.PowerCut, AtDiskCall: 3}, "write 1", []string{"[]", "[1]"}},
		{fault.Fault{Kind: fault.PowerCut, AtDiskCall: 3, AfterCall: true}, "write 1", []string{"[1]"}},
		{fault.Fault{Kind: fault.PowerCut, AtDiskCall: 5}, "write 2", []string{"[1]", "[1 2]"}},
		{fault.Fault{Kind: fault.PowerCut, AtDiskCall: 5, AfterCall: true}, "write 2", []string{"[1 2]"}},
		{fault.Fault{Kind: fault.Kill, AtDiskCall: 2}, "open", []string{"[]"}},
		// the page cache survives
		{fault.Fault{Kind: fault.Kill, AtDiskCall: 2, AfterCall: true}, "open", []string{"[1]"}},
		{fault.Fault{Kind: fault.Kill, Process: "a", AtDiskCall: 4, AfterCall: true}, "open",
			[]string{"[1 2]"}},
	} {
		for seed := range uint64(20) {
			s := &steadyWriter{}
			w := build(t, 1, seed, s.cast())
			e := effect(t, w, &c.fault)
			runFor(t, w, time.Second)
			require.EqualValues(t, 1, e.Hits())
			require.False(t, w.MachineAt(0).Proc("a").Up(), "it ended in the middle of its step")
			require.Equal(t, c.fault.Process != "", w.MachineAt(0).Proc("b").Up())
			last := ""
			if n := len(s.returned); n > 0 {
				last = s.returned[n-1]
			}
			require.Equal(t, c.last, last)
			e.End()
			runFor(t, w, 5*time.Millisecond)
			require.GreaterOrEqual(t, len(s.found), 2)
			require.Contains(t, c.found, s.found[1])
		}
	}
}

func TestCrashThatIsNeverReachedHasNoEffect(t *testing.T) {
	s := &steadyWriter{}
	w := build(t, 1, 1, s.cast())
	e := effect(t, w, &fault.Fault{Kind: fault.PowerCut, AtDiskCall: 1_000_000})
	other := effect(t, w, &fault.Fault{Kind: fault.Kill, Process: "b", AtDiskCall: 1})
	runFor(t, w, time.Second)
	e.End()
	other.End()
	runFor(t, w, time.Second)
	require.Zero(t, e.Hits())
	require.Zero(t, other.Hits(), "b makes no disk call")
	require.Len(t, s.found, 1)
}

func TestSingleDiskCallFails(t *testing.T) {
	s := &steadyWriter{}
	w := build(t, 1, 1, s.cast())
	e := effect(t, w, &fault.Fault{Kind: fault.DiskError, Operation: "sync", AtDiskCall: 2})
	runFor(t, w, time.Second)
	e.End()
	require.Equal(t, []string{"sync 2: " + env.ErrIO.Error()}, s.failed)
	require.EqualValues(t, 1, e.Hits())
}

// TestCrashAfterACallThatOutlastsTheFault: when the fault ends while its call is under way, nothing crashes
// and the process goes on, whenever that is.
func TestCrashAfterACallThatOutlastsTheFault(t *testing.T) {
	const steps = 600
	outlasted := 0
	for step := range steps {
		s := &steadyWriter{}
		w := build(t, 1, 1, s.cast())
		e := effect(t, w, &fault.Fault{Kind: fault.Kill, AtDiskCall: 3, AfterCall: true})
		runFor(t, w, time.Duration(step)*20*time.Microsecond)
		up, before := w.MachineAt(0).Proc("a").Up(), len(s.returned)
		e.End()
		runFor(t, w, 100*time.Millisecond)
		if up {
			require.Len(t, s.found, 1, "nothing crashed")
			require.Greater(t, len(s.returned), before+10, "the process goes on after %d steps", step)
			outlasted++
		}
	}
	require.Greater(t, outlasted, 0)
	require.Less(t, outlasted, steps, "in some cases the call has ended before the fault")
}
