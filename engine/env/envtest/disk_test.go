package envtest

import (
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

func TestDiskKeepsTheRulesOfFiles(t *testing.T) {
	d := NewDisk()
	_, err := d.Open("a", 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	f, err := d.Open("a", env.Create|env.Exclusive)
	require.NoError(t, err)
	_, err = d.Open("a", env.Create|env.Exclusive)
	require.ErrorIs(t, err, fs.ErrExist)
	n, err := f.WriteAt([]byte("xyz"), 2)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	var b [8]byte
	n, err = f.ReadAt(b[:], 0)
	require.Equal(t, io.EOF, err)
	require.Equal(t, "\x00\x00xyz", string(b[:n]))
	_, err = f.ReadAt(b[:], 5)
	require.Equal(t, io.EOF, err)
	require.NoError(t, f.Truncate(3))
	require.NoError(t, f.Truncate(4))
	size, err := f.Size()
	require.NoError(t, err)
	require.EqualValues(t, 4, size)
	n, _ = f.ReadAt(b[:4], 0)
	require.Equal(t, "\x00\x00x\x00", string(b[:n]), "what was cut off does not come back")
}

func TestDiskMovesAndRemovesNames(t *testing.T) {
	d := NewDisk()
	require.ErrorIs(t, d.Rename("a", "b"), fs.ErrNotExist)
	require.ErrorIs(t, d.Remove("a"), fs.ErrNotExist)
	require.NoError(t, env.ReplaceFile(d, "a", []byte("a")))
	require.NoError(t, env.ReplaceFile(d, "b", []byte("b")))
	open, err := d.Open("b", env.ReadOnly)
	require.NoError(t, err)
	require.NoError(t, d.Rename("a", "b"))
	data, err := env.ReadFile(d, "b", 10)
	require.NoError(t, err)
	require.Equal(t, "a", string(data))
	var b [1]byte
	_, err = open.ReadAt(b[:], 0)
	require.NoError(t, err)
	require.Equal(t, "b", string(b[:]), "an open file outlives its name")
	there, err := d.Exists("a")
	require.NoError(t, err)
	require.False(t, there)
	require.NoError(t, d.Remove("b"))
}
