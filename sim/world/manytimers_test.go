package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// TestTimersUnderEverNewIDs: a process may name its timers after operations, as the register does.
func TestTimersUnderEverNewIDs(t *testing.T) {
	fired := 0
	var slow []time.Duration // when the timers fired that stayed set meanwhile
	w := build(t, 1, 1, cast{"a": func() *script {
		return &script{
			start: func(e env.Env) error {
				e.SetTimer(1, time.Microsecond)
				for i := range env.TimerID(3) {
					e.SetTimer(1<<40+i, time.Duration(i+1)*50*time.Millisecond)
				}
				return nil
			},
			step: func(e env.Env, ev env.Event) {
				if ev, ok := ev.(env.TimerFired); ok && ev.ID >= 1<<40 {
					slow = append(slow, e.Mono().Round(time.Millisecond))
				} else if ok {
					fired++
					e.SetTimer(ev.ID+1, time.Microsecond)
				}
			}}
	}})
	runFor(t, w, 200*time.Millisecond)
	require.Greater(t, fired, 80_000)
	require.Equal(t, []time.Duration{51 * time.Millisecond, 101 * time.Millisecond, 151 * time.Millisecond},
		slow)
}
