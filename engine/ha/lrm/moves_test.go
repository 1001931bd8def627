package lrm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
)

func TestARestartingLRMDeclinesMoves(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Started, "u1")
	l := active(t, b)
	b.finish("vm:1", ha.ExitSuccess)
	l.Round()
	l.RequestShutdown()
	b.want("vm:1", ha.Relocate, "u2")
	require.False(t, l.Round().Exit)
	require.Equal(t, ha.ExitError, b.written.Results["u2"].ExitCode)
}

func TestASuccessorAnswersForAMoveThatArrived(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		b := newBench()
		b.want("vm:1", ha.Migrate, "u1")
		active(t, b)
		require.Len(t, b.started, 1)
		require.Equal(t, map[string]string{"u1": "n2"}, b.written.StartedMoves)
		// The LRM ends with its machine; the move may have completed before.
		b.busy, b.locked, b.open = map[string]lrm.Command{}, false, false
		if arrived {
			b.services["vm:1"].Node = "n2"
		}
		l := active(t, b)
		if arrived {
			require.Len(t, b.started, 1)
			require.Equal(t, ha.ExitSuccess, b.written.Results["u1"].ExitCode)
			continue
		}
		require.Len(t, b.started, 2, "it must be moved again")
		b.finish("vm:1", ha.ExitSuccess)
		l.Round()
		require.Equal(t, ha.ExitSuccess, b.written.Results["u1"].ExitCode)
		require.Empty(t, b.written.StartedMoves)
	}
}

// TestASuccessorRepeatsTheAnswerToAMove: the manager had not read it when the LRM ended with its machine,
// because the master's store did not answer. Without the answer the successor would execute the command
// again, on a node that the service has left.
func TestASuccessorRepeatsTheAnswerToAMove(t *testing.T) {
	for _, code := range []ha.ExitCode{ha.ExitSuccess, ha.ExitError} {
		b := newBench()
		b.want("vm:1", ha.RequestStartBalance, "u1")
		b.want("vm:2", ha.Started, "u2")
		l := active(t, b)
		if code == ha.ExitSuccess {
			b.services["vm:1"].Node = "n2"
		}
		b.finish("vm:1", code)
		b.finish("vm:2", ha.ExitSuccess)
		l.Round()
		b.busy, b.locked, b.open, b.started = map[string]lrm.Command{}, false, false, nil
		active(t, b)
		require.Equal(t, code, b.written.Results["u1"].ExitCode)
		require.Len(t, b.started, 1, "only the start, because the guest ended with the machine")
		require.NotContains(t, b.written.Results, "u2")
	}
}

func TestARestartingLRMDeclinesNoMoveThatArrived(t *testing.T) {
	b := newBench()
	b.want("vm:1", ha.Migrate, "u1")
	active(t, b)
	b.busy = map[string]lrm.Command{}
	b.services["vm:1"].Node = "n2"
	l := lrm.New(b, b, nil)
	l.RequestShutdown() // before it could do anything about the move
	l.Round()
	require.Equal(t, ha.ExitSuccess, b.written.Results["u1"].ExitCode)
}
