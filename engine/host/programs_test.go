//go:build unix

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test's own executable be the keeper of programs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == RunProgramArg {
		if err := RunProgram(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestProgramsOutliveTheirStarterAndEnd(t *testing.T) {
	dir := t.TempDir()
	fresh := func() *programs {
		return &programs{dir: dir, records: true, incarnation: &incarnation{gate: newGate(),
			files: map[*os.File]struct{}{}}}
	}
	p := fresh()
	running := func() bool {
		on, err := fresh().Running("vm:100")
		require.NoError(t, err)
		return on
	}
	require.False(t, running())
	require.NoError(t, p.Start("vm:100", []string{"/bin/sh", "-c",
		"trap '' TERM; echo $HOLDFAST_PROGRAM >> out; while :; do sleep 0.05; done"}))
	t.Cleanup(func() { _ = fresh().Stop("vm:100", true) })
	require.True(t, running())
	require.NoError(t, fresh().Start("vm:100", []string{"/bin/false"}), "it runs already")
	p.incarnation.dead.Store(true)
	require.Error(t, p.Stop("vm:100", true), "what has ended cannot be stopped")
	require.Eventually(t, func() bool {
		out, _ := os.ReadFile(filepath.Join(dir, "out"))
		return string(out) == "vm:100\n"
	}, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, fresh().Stop("vm:100", false))
	time.Sleep(300 * time.Millisecond)
	require.True(t, running(), "it does not listen")
	require.NoError(t, fresh().Stop("vm:100", true))
	require.Eventually(t, func() bool { return !running() }, 5*time.Second, 10*time.Millisecond)
	status, err := fresh().Status("vm:100")
	require.NoError(t, err)
	require.NotEmpty(t, status.Incarnation)
	require.False(t, status.Running || status.Exited, "it was ended by force and could say nothing")
	require.NoError(t, fresh().Start("vm:100", []string{"/bin/sh", "-c", "exit 3"}))
	require.Eventually(t, func() bool { return !running() }, 5*time.Second, 10*time.Millisecond)
	again, err := fresh().Status("vm:100")
	require.NoError(t, err)
	require.NotEqual(t, status.Incarnation, again.Incarnation, "a new life")
	require.True(t, again.Exited)
	require.Equal(t, 3, again.ExitCode)
	files, err := filepath.Glob(filepath.Join(dir, ProgramRecordFiles))
	require.NoError(t, err)
	require.Len(t, files, 1)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(data), string(ProgramStarting)))
	require.Equal(t, 1, strings.Count(string(data), string(ProgramEnded)),
		"the first was killed and could say nothing")
	require.Contains(t, string(data), ProgramRunning)
}
