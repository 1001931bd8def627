package workers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
)

func TestEachTaskIsDoneAndTakenOnce(t *testing.T) {
	begun, taken := 0, map[int]int{}
	err := workers.RunTasks(t.Context(), 4, func() (workers.Task, bool) {
		if begun == 100 {
			return nil, false
		}
		number := begun
		begun++
		return func() func() error {
			return func() error { taken[number]++; return nil }
		}, true
	})
	require.NoError(t, err)
	require.Len(t, taken, 100)
	for number, times := range taken {
		require.Equal(t, 1, times, "task %d", number)
	}
}

func TestTheFirstErrorEndsTheWork(t *testing.T) {
	broken, taken := errors.New("broken"), 0
	err := workers.RunTasks(t.Context(), 1, func() (workers.Task, bool) {
		return func() func() error {
			return func() error {
				if taken++; taken == 3 {
					return broken
				}
				return nil
			}
		}, true
	})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 3, taken)
}

func TestNothingIsTakenAfterTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := workers.RunTasks(ctx, 2, func() (workers.Task, bool) {
		return func() func() error {
			cancel()
			return func() error { t.Error("taken"); return nil }
		}, true
	})
	require.NoError(t, err)
}
