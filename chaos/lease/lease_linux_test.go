package lease

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLeaseOfALivingOwnerIsKept(t *testing.T) {
	root := t.TempDir()
	l, err := Take(root)
	require.NoError(t, err)
	require.DirExists(t, l.Dir)
	require.NoError(t, os.WriteFile(filepath.Join(l.Dir, "something"), nil, 0o644))
	orphans, err := Orphans(root)
	require.NoError(t, err)
	require.NotContains(t, orphans, l.ID)
	require.NoError(t, l.Return())
	require.NoDirExists(t, l.Dir)
}

// deadOwner is the id of a run whose owner has ended.
func deadOwner(t *testing.T) (string, runOwner) {
	t.Helper()
	c := exec.Command("sleep", "60")
	require.NoError(t, c.Start())
	start, err := startTime(c.Process.Pid)
	require.NoError(t, err)
	require.True(t, isRunning(c.Process.Pid, start))
	require.False(t, isRunning(c.Process.Pid, start+1), "another process with the same number")
	require.NoError(t, c.Process.Kill())
	require.Error(t, c.Wait())
	require.False(t, isRunning(c.Process.Pid, start))
	return runID(c.Process.Pid, start), runOwner{PID: c.Process.Pid, StartTime: start, BootID: bootID()}
}

func TestLeaseOfADeadOwnerIsCleaned(t *testing.T) {
	root := t.TempDir()
	id, o := deadOwner(t)
	data, err := json.Marshal(o)
	require.NoError(t, err)
	dir := filepath.Join(root, id)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "n1", "disk"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ownerFile), data, 0o644))
	other := filepath.Join(root, "notes")
	require.NoError(t, os.Mkdir(other, 0o755))

	orphans, err := Orphans(root)
	require.NoError(t, err)
	require.Contains(t, orphans, id)
	require.NoError(t, removeRun(root, id))
	require.NoDirExists(t, dir)
	require.DirExists(t, other, "what is no run is not touched")
}

func TestUnfinishedLeaseHasItsTime(t *testing.T) {
	root := t.TempDir()
	id, _ := deadOwner(t)
	dir := filepath.Join(root, newPrefix+id)
	require.NoError(t, os.Mkdir(dir, 0o755))
	orphans, err := Orphans(root)
	require.NoError(t, err)
	require.NotContains(t, orphans, id)
	old := time.Now().Add(-2 * newGrace)
	require.NoError(t, os.Chtimes(dir, old, old))
	orphans, err = Orphans(root)
	require.NoError(t, err)
	require.Contains(t, orphans, id)
	require.NoError(t, removeRun(root, id))
	require.NoDirExists(t, dir)
}

func TestIDs(t *testing.T) {
	pid, start, ok := parseID(runID(12, 34))
	require.True(t, ok)
	require.Equal(t, 12, pid)
	require.EqualValues(t, 34, start)
	for _, bad := range []string{"", "1.2", "a.2.beef", "1.b.beef", "1.2.beefs", "1.2.be"} {
		_, _, ok := parseID(bad)
		require.False(t, ok, bad)
	}
}
