package hostdisk

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// newIncarnation returns an incarnation that runs.
func newIncarnation() *incarnation.Incarnation {
	return incarnation.New(1, incarnation.NewGate())
}

func testDisk(t *testing.T) (*Disk, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	return New(root, newIncarnation()), dir
}

func TestDisk(t *testing.T) {
	d, dir := testDisk(t)
	_, err := d.Open("a", 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, d.Remove("a"), fs.ErrNotExist)

	f, err := d.Open("db/deep/a", env.Create)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("tail"), 4)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir("db/deep"))
	size, err := f.Size()
	require.NoError(t, err)
	require.EqualValues(t, 8, size)
	p := make([]byte, 10)
	n, err := f.ReadAt(p, 0)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "\x00\x00\x00\x00tail", string(p[:n]))
	require.NoError(t, f.Truncate(2))
	require.NoError(t, f.Close())

	_, err = d.Open("db/deep/a", env.Create|env.Exclusive)
	require.ErrorIs(t, err, fs.ErrExist)
	r, err := d.Open("db/deep/a", env.ReadOnly)
	require.NoError(t, err)
	_, err = r.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, env.ErrIO)

	require.NoError(t, d.Rename("db/deep/a", "elsewhere/b"))
	there, err := d.Exists("elsewhere/b")
	require.NoError(t, err)
	require.True(t, there)
	there, err = d.Exists("elsewhere")
	require.NoError(t, err)
	require.False(t, there, "a directory is no file")
	_, err = d.Open("elsewhere", env.ReadOnly)
	require.ErrorIs(t, err, env.ErrIO)

	require.NoError(t, env.ReplaceFile(d, "elsewhere/b", []byte("new")))
	data, err := os.ReadFile(filepath.Join(dir, "elsewhere", "b"))
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
}

func TestNoNameLeadsOutOfTheDisk(t *testing.T) {
	d, dir := testDisk(t)
	for _, name := range []string{"", ".", "..", "../x", "/etc/passwd", "a/../../x", "a//b", `..\x`, "a/"} {
		_, err := d.Open(name, env.Create)
		require.ErrorIs(t, err, ErrName, name)
		require.ErrorIs(t, d.Remove(name), ErrName, name)
		require.ErrorIs(t, d.Rename("a", name), ErrName, name)
	}
	if runtime.GOOS == "windows" {
		return // making links needs a privilege there
	}
	require.NoError(t, os.Symlink("/etc", filepath.Join(dir, "link")))
	_, err := d.Open("link/passwd", env.ReadOnly)
	require.Error(t, err)
	require.NotErrorIs(t, err, fs.ErrNotExist)
}

func TestHandlesDieWithTheProcess(t *testing.T) {
	d, _ := testDisk(t)
	f, err := d.Open("a", env.Create)
	require.NoError(t, err)
	d.incarnation.End()
	_, err = f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, env.ErrDead)
	require.ErrorIs(t, f.Sync(), env.ErrDead)
	_, err = d.Open("b", env.Create)
	require.ErrorIs(t, err, env.ErrDead)
	d.incarnation.Release()
	require.Zero(t, d.incarnation.OpenFiles())
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("needs /dev/full to see a full disk without filling one")
	}
	f := &file{osFile: full, name: "full", incarnation: newIncarnation()}
	_, err = f.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, env.ErrNoSpace)
	require.NoError(t, f.Close())
}
