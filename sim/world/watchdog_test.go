package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// guarded is a machine whose process a arms the watchdog at its first boot and pets it every two
// seconds.
func guarded() cast {
	const timeout, pet = 10 * time.Second, 2 * time.Second
	return cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				if e.Self().Boot > 1 {
					return nil
				}
				e.SetTimer(1, pet)
				return e.(env.WatchdogHost).Watchdog().Arm(timeout)
			},
			step: func(e env.Env, ev env.Event) {
				if _, ok := ev.(env.TimerFired); ok {
					e.(env.WatchdogHost).Watchdog().Pet()
					e.SetTimer(1, pet)
				}
			}}
	}, "b": func() *script { return &script{} }}
}

func TestPettedWatchdogLeavesTheMachineAlone(t *testing.T) {
	w := build(t, 1, 1, guarded())
	w.MachineAt(0).PowerOn()
	require.NoError(t, w.Kernel.Run(int64(time.Hour)))
	require.True(t, w.MachineAt(0).Proc("b").Up())
}

func TestPausedMachineIsResetAndBootsAgain(t *testing.T) {
	w := build(t, 1, 1, guarded())
	m := w.MachineAt(0)
	m.PowerOn()
	require.NoError(t, w.Kernel.Run(int64(20*time.Second)))
	m.Proc("a").Pause()
	m.Proc("b").Pause()
	require.NoError(t, w.Kernel.Run(int64(27*time.Second)))
	require.True(t, m.On(), "not before its time")
	require.NoError(t, w.Kernel.Run(int64(31*time.Second)))
	require.False(t, m.On())
	require.False(t, m.Proc("b").Up(), "everything on the machine ends")
	require.NoError(t, w.Kernel.Run(int64(60*time.Second)))
	require.True(t, m.On())
	require.True(t, m.Proc("b").Up())
	require.False(t, m.Proc("a").Watchdog().Armed(), "a reset disarms")
	m.Proc("a").Unpause() // the fault ends: the processes it had stopped are gone
	require.NoError(t, w.Kernel.Run(int64(10*time.Minute)))
	require.True(t, m.On())
}

func TestResetDuringAPowerCutWaitsForThePower(t *testing.T) {
	w := build(t, 1, 1, guarded())
	m := w.MachineAt(0)
	m.PowerOn()
	require.NoError(t, w.Kernel.Run(int64(20*time.Second)))
	m.Proc("a").Kill()
	require.NoError(t, w.Kernel.Run(int64(31*time.Second)))
	require.False(t, m.On())
	m.CutPower()
	require.NoError(t, w.Kernel.Run(int64(5*time.Minute)))
	require.False(t, m.On())
	m.RestorePower()
	require.NoError(t, w.Kernel.Run(int64(6*time.Minute)))
	require.True(t, m.On())
}
