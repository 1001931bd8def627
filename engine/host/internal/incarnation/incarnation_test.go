package incarnation

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// TestEndFreesCallersAtTheGate pauses a process and ends it: its pending call must fail, not hang.
func TestEndFreesCallersAtTheGate(t *testing.T) {
	gate := NewGate()
	i := New(3, gate)
	require.EqualValues(t, 3, i.Number())
	require.NoError(t, i.Pass())
	gate.Set(true)
	passed := make(chan error, 1)
	go func() { passed <- i.Pass() }()
	select {
	case <-passed:
		require.FailNow(t, "a call passed the closed gate")
	case <-time.After(20 * time.Millisecond):
	}
	i.End()
	require.ErrorIs(t, <-passed, env.ErrDead)
	require.False(t, i.Alive())

	gate.Set(false)
	next := New(4, gate)
	require.NoError(t, next.Pass(), "the next incarnation shares the gate, not the end")
	require.ErrorIs(t, i.Pass(), env.ErrDead)
}

func TestReleaseClosesFilesAndCallsTheFunctions(t *testing.T) {
	i := New(1, NewGate())
	var order []int
	i.AtEnd(func() { order = append(order, 1) })
	i.AtEnd(func() { order = append(order, 2) })
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		require.NoError(t, err)
		return f
	}
	left, closed, late := open("left"), open("closed"), open("late")
	require.True(t, i.AddFile(left))
	require.True(t, i.AddFile(closed))
	i.RemoveFile(closed)
	require.NoError(t, closed.Close())
	require.Equal(t, 1, i.OpenFiles())
	i.Release()
	require.Equal(t, []int{1, 2}, order)
	require.ErrorIs(t, left.Close(), os.ErrClosed)
	require.False(t, i.AddFile(late), "a file that was opened during the end is closed")
	require.ErrorIs(t, late.Close(), os.ErrClosed)
	require.Zero(t, i.OpenFiles())
}
