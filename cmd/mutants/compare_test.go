package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// TestInterval: some values of the exact interval from tables of the chi-squared distribution.
func TestInterval(t *testing.T) {
	for seen, want := range map[uint64][2]float64{0: {0, 2.996}, 1: {0.051, 4.744}, 10: {5.425, 16.962},
		100: {84.14, 118.08}} {
		low, high := poissonInterval(seen)
		require.InDelta(t, want[0], low, 0.01, "%d", seen)
		require.InDelta(t, want[1], high, 0.01, "%d", seen)
	}
}

// TestRunStrategy counts the runs that find a bug of the subject.
func TestRunStrategy(t *testing.T) {
	thorough.Only(t, "building the program and forty runs take some seconds of processor time")
	storm, err := os.ReadFile("../../scenarios/library/raft-storm.yaml")
	require.NoError(t, err)
	for bug, finds := range map[string]bool{"": false, ", bug: forgotten-vote": true} {
		file := filepath.Join(t.TempDir(), "raft-storm.yaml")
		text := string(storm[:len(storm)-len("subject: {kind: raft}\n")]) + "subject: {kind: raft" + bug +
			"}\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		r, err := runStrategy(file, "bridge", 1, 20)
		require.NoError(t, err)
		require.EqualValues(t, 20, r.Runs)
		require.Equal(t, finds, r.Found > 0)
		require.Less(t, r.Found, r.Runs)
	}
	_, err = runStrategy("no-such-file.yaml", "churn", 1, 1)
	require.ErrorIs(t, err, os.ErrNotExist)
}
