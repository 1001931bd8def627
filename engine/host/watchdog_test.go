package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// countingWatchdog counts the calls that reach the machine's watchdog.
type countingWatchdog struct {
	env.Watchdog
	calls int
}

func (w *countingWatchdog) Arm(time.Duration) error { w.calls++; return nil }
func (w *countingWatchdog) Pet()                    { w.calls++ }
func (w *countingWatchdog) Disarm() error           { w.calls++; return nil }

func TestAnEndedProcessDoesNotReachTheWatchdog(t *testing.T) {
	dog, i := &countingWatchdog{}, incarnation.New(1, incarnation.NewGate())
	w := incarnationWatchdog{dog, i}
	require.NoError(t, w.Arm(time.Second))
	w.Pet()
	require.NoError(t, w.Disarm())
	require.Equal(t, 3, dog.calls)

	i.End()
	require.ErrorIs(t, w.Arm(time.Second), env.ErrDead)
	w.Pet()
	require.ErrorIs(t, w.Disarm(), env.ErrDead)
	require.Equal(t, 3, dog.calls)
}
