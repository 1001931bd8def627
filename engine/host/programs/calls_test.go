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

// running is the pass function of a process that runs and is not paused.
func running() error { return nil }

func (c *commandRunner) call(t *testing.T, call env.Command) (r env.CommandResult) {
	id, err := c.Start(call)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var over bool
		r, over = c.Result(id)
		return over
	}, 20*time.Second, 5*time.Millisecond)
	_, over := c.Result(id)
	require.False(t, over, "an end is reported once")
	return r
}

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestCallsReportCodeAndOutput(t *testing.T) {
	c := newCalls(t.TempDir(), running)
	r := c.call(t, env.Command{Args: shell("cat; echo to-error >&2; exit 7"), Input: []byte("ip=1\n"),
		Limit: time.Minute})
	require.NoError(t, r.Err)
	require.Equal(t, 7, r.Code)
	require.Equal(t, "ip=1\nto-error\n", string(r.Output))
	r = c.call(t, env.Command{Args: shell("yes | head -c 300000"), Limit: time.Minute})
	require.Len(t, r.Output, env.MaxCallOutputBytes)
	require.Zero(t, r.Code, "what is too much is thrown away, and the program does not notice")
}

func TestCallsThatEndOtherwiseHaveNoCode(t *testing.T) {
	c := newCalls(t.TempDir(), running)
	r := c.call(t, env.Command{Args: shell("kill -9 $$"), Limit: time.Minute})
	require.ErrorIs(t, r.Err, ErrProgram)
	_, err := c.Start(env.Command{Args: []string{"/nowhere/fence_nothing"}, Limit: time.Minute})
	require.ErrorIs(t, err, ErrProgram)
	_, err = c.Start(env.Command{Args: shell("exit 0")})
	require.ErrorIs(t, err, ErrProgram, "a call without a limit")
}

// TestCallsEndWithEverythingTheyStarted: at the limit a program ends by force, and so does what it
// has started.
func TestCallsEndWithEverythingTheyStarted(t *testing.T) {
	c := newCalls(t.TempDir(), running)
	beat := filepath.Join(c.dir, "beat")
	script := "trap '' TERM; (while :; do echo x >> beat; sleep 0.02; done) & wait"
	r := c.call(t, env.Command{Args: shell(script), Limit: 300 * time.Millisecond})
	require.ErrorIs(t, r.Err, env.ErrCommandTimeout)
	requireStill(t, beat)
}

func TestCallsEndWithTheirProcess(t *testing.T) {
	dead := false
	c := newCalls(t.TempDir(), func() error {
		if dead {
			return env.ErrDead
		}
		return nil
	})
	_, err := c.Start(env.Command{Args: shell("while :; do echo x >> beat; sleep 0.02; done"),
		Limit: time.Minute})
	require.NoError(t, err)
	beat := filepath.Join(c.dir, "beat")
	require.Eventually(t, func() bool { return size(beat) > 0 }, 10*time.Second, 5*time.Millisecond)
	dead = true
	close(c.incarnationEnded)
	requireStill(t, beat)
	_, err = c.Start(env.Command{Args: shell("exit 0"), Limit: time.Minute})
	require.ErrorIs(t, err, env.ErrDead)
}

func size(file string) int {
	data, _ := os.ReadFile(file)
	return strings.Count(string(data), "x")
}

// requireStill waits until no program writes to a file.
func requireStill(t *testing.T, file string) {
	require.Eventually(t, func() bool {
		before := size(file)
		time.Sleep(200 * time.Millisecond)
		return before == size(file)
	}, 10*time.Second, time.Millisecond)
}
