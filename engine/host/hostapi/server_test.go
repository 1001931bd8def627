package hostapi

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// shortDir returns a directory whose path is short enough for unix sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the kind of a socket's file is not seen there")
	}
	dir, err := os.MkdirTemp("", "hf")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// nothing is an API without paths.
func nothing(*limiter) *http.ServeMux { return http.NewServeMux() }

func TestListenTakesOverAStaleSocketAndNoOther(t *testing.T) {
	path := filepath.Join(shortDir(t), "api")
	first, err := listenUnix(path, nothing)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, socketMode, info.Mode().Perm())

	_, err = listenUnix(path, nothing)
	require.ErrorIs(t, err, ErrSocket)
	require.ErrorContains(t, err, "is served by a running program")

	first.path = "" // as after a kill: the file stays
	first.listener.(*limitListener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	require.FileExists(t, path)
	second, err := listenUnix(path, nothing)
	require.NoError(t, err)
	second.Close()
	require.NoFileExists(t, path)

	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = listenUnix(path, nothing)
	require.ErrorIs(t, err, ErrSocket)
	require.ErrorContains(t, err, "is no socket")
}

// machine is a Machine that is never asked.
type machine struct{ Machine }

func TestOpenLeavesNothingOpenAfterAnError(t *testing.T) {
	dir := shortDir(t)
	bad := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(bad, nil, 0o600))
	client := filepath.Join(dir, "api")
	_, err := Open(Addresses{ClientSocket: client, ControlSocket: bad}, machine{})
	require.ErrorIs(t, err, ErrSocket)
	require.NoFileExists(t, client)
}
