package lrm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func TestWhatWasUnderWayAtShutdownIsStopped(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Migrate, "u1")
	l := active(t, b)
	require.Len(t, b.started, 1)
	b.down = true
	l.RequestShutdown()
	require.False(t, l.Round().Exit)
	require.True(t, b.locked)
	b.finish("vm:1", ha.ExitError) // it could not leave, so it runs here still
	require.False(t, l.Round().Exit)
	require.Len(t, b.started, 2)
	require.Equal(t, ha.RequestStop, b.started[1].State)
	require.True(t, b.locked, "the lock stays while it runs")
	b.finish("vm:1", ha.ExitSuccess)
	require.True(t, l.Round().Exit)
	require.False(t, b.locked)
}
