//go:build unix

package programs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// TestMain lets the test's own executable be the keeper of programs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == KeeperArg {
		if err := RunKeeper(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProgramsOutliveTheirStarterAndEnd(t *testing.T) {
	dir := t.TempDir()
	fresh := func() env.Programs { return New(dir, true, running) }
	dead := false
	p := New(dir, true, func() error {
		if dead {
			return env.ErrDead
		}
		return nil
	})
	runs := func() bool {
		on, err := fresh().Running("vm:100")
		require.NoError(t, err)
		return on
	}
	require.False(t, runs())
	const deaf = "trap '' TERM; echo $HOLDFAST_PROGRAM >> out; while :; do sleep 0.05; done"
	require.NoError(t, p.Start("vm:100", []string{"/bin/sh", "-c", deaf}))
	t.Cleanup(func() { _ = fresh().Stop("vm:100", true) })
	require.True(t, runs())
	require.NoError(t, fresh().Start("vm:100", []string{"/bin/false"}), "it runs already")
	dead = true
	require.ErrorIs(t, p.Stop("vm:100", true), env.ErrDead, "an ended process has no effect")
	require.Eventually(t, func() bool {
		out, _ := os.ReadFile(filepath.Join(dir, "out"))
		return string(out) == "vm:100\n"
	}, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, fresh().Stop("vm:100", false))
	time.Sleep(300 * time.Millisecond)
	require.True(t, runs(), "it ignores the signal")
	require.NoError(t, fresh().Stop("vm:100", true))
	require.Eventually(t, func() bool { return !runs() }, 5*time.Second, 10*time.Millisecond)
	status, err := fresh().Status("vm:100")
	require.NoError(t, err)
	require.NotEmpty(t, status.Incarnation)
	require.False(t, status.Running || status.Exited, "it was killed and left no exit code")
	require.NoError(t, fresh().Start("vm:100", []string{"/bin/sh", "-c", "exit 3"}))
	require.Eventually(t, func() bool { return !runs() }, 5*time.Second, 10*time.Millisecond)
	again, err := fresh().Status("vm:100")
	require.NoError(t, err)
	require.NotEqual(t, status.Incarnation, again.Incarnation, "a new incarnation")
	require.True(t, again.Exited)
	require.Equal(t, 3, again.ExitCode)
	files, err := filepath.Glob(filepath.Join(dir, RecordFiles))
	require.NoError(t, err)
	require.Len(t, files, 1)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(data), string(Starting)))
	require.Equal(t, 1, strings.Count(string(data), string(Ended)),
		"the first was killed and wrote no end")
	require.Contains(t, string(data), Running)
}
