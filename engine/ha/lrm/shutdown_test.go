package lrm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
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

// TestALateArrivalIsReported: a service that moves to a node which shuts down is stopped by no agent.
func TestALateArrivalIsReported(t *testing.T) {
	for _, late := range []string{"", "vm:2"} {
		b := newBench()
		b.policy = ha.PolicyFreeze
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
		b.down = true
		l.RequestShutdown()
		require.False(t, l.Round().Exit)
		b.finish("vm:1", ha.ExitSuccess)
		b.want("vm:1", ha.Freeze, "u2")
		if late != "" {
			b.want(late, ha.Freeze, "u3")
		}
		round := l.Round()
		require.True(t, round.Exit)
		require.Equal(t, late != "", round.Unfinished)
	}
}

// TestAServiceThatMovedAwayIsStopped here: its configuration is elsewhere, and the manager does not know it
// yet.
func TestAServiceThatMovedAwayIsStopped(t *testing.T) {
	for code, keeps := range map[ha.ExitCode]bool{ha.ExitWrongNode: false, ha.ExitError: true} {
		b := newBench()
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
		b.down = true
		l.RequestShutdown()
		require.False(t, l.Round().Exit)
		b.finish("vm:1", code)
		round := l.Round()
		require.True(t, round.Exit)
		require.Equal(t, keeps, round.Unfinished)
		require.Equal(t, keeps, b.open, "the watchdog")
	}
}

// TestAStopThatIsUnderWayWithoutTheLock is no end in order: what it stops may run on.
func TestAStopThatIsUnderWayWithoutTheLock(t *testing.T) {
	for _, ends := range []bool{false, true} {
		b := newBench()
		b.policy = ha.PolicyFreeze
		b.want("vm:1", ha.Started, "u1")
		l := active(t, b)
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
		b.down = true
		l.RequestShutdown()
		require.False(t, l.Round().Exit)
		if ends {
			b.finish("vm:1", ha.ExitSuccess)
			require.False(t, l.Round().Exit, "the manager has not frozen it yet")
		}
		b.want("vm:1", ha.Freeze, "u2")
		b.lockFree = false
		round := l.Round()
		require.Equal(t, ha.LRMLostAgentLock, l.State())
		require.True(t, round.Exit)
		require.Equal(t, !ends, round.Unfinished)
	}
}

// TestAnLRMWithoutLockAndWhatItsPredecessorLeftRunning: a frozen service runs until the machine goes off,
// so that is no end in order; where the machine stays on, it is, and a stopped service does not matter.
func TestAnLRMWithoutLockAndWhatItsPredecessorLeftRunning(t *testing.T) {
	for _, c := range []struct {
		state            ha.ServiceState
		quorate, unended bool
	}{
		{ha.Freeze, true, true},
		{ha.Error, true, true},
		{ha.Stopped, true, false},
		{ha.Freeze, false, true},
	} {
		b := newBench()
		b.down = true
		b.want("vm:1", c.state, "u1")
		l := lrm.New(b, b, nil)
		if c.quorate {
			l.Round()
			require.Equal(t, ha.LRMWaitForAgentLock, l.State())
		}
		b.quorate = c.quorate
		l.RequestShutdown()
		round := l.Round()
		require.True(t, round.Exit)
		require.Equal(t, c.unended, round.Unfinished, "%+v", c)
	}
}
