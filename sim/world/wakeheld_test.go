package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// TestTimersOfANewIncarnationAfterAPauseInADiskCall: a process is paused in a disk call, its machine loses
// power and boots while the pause continues, and a timer of the new incarnation comes due within it.
func TestTimersOfANewIncarnationAfterAPauseInADiskCall(t *testing.T) {
	fired := 0
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error { e.SetTimer(1, 10*time.Millisecond); return nil },
			step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); !ok {
					return
				}
				fired++
				f, err := e.Disk().Open("x", env.Create)
				require.NoError(t, err)
				require.NoError(t, f.Sync())
			}}
	}})
	m := w.MachineAt(0)
	runFor(t, w, 11500*time.Microsecond) // within the sync
	m.Each("a", (*world.Proc).Pause)
	runFor(t, w, 5*time.Millisecond) // the sync is done, its process does not know
	m.CutPower()
	runFor(t, w, 5*time.Millisecond)
	m.RestorePower()
	runFor(t, w, 50*time.Millisecond)
	require.Equal(t, 1, fired)
	m.Each("a", (*world.Proc).Unpause)
	runFor(t, w, 50*time.Millisecond)
	require.Equal(t, 2, fired, "the timer of the new incarnation is never delivered")
}
