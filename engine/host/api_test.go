package host

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

func TestHTTP(t *testing.T) {
	dir := socketDir(t)
	silent := process("silent", nil)
	silent.API.NoOperations = true
	h, _ := up(t, Config{Dir: dir, APISocket: filepath.Join(dir, "api"),
		ControlSocket: filepath.Join(dir, "ctl"),
		Processes:     []Process{silent, process("p", answerUnlessNever)}})
	const url = "http://node"
	clients := socketClient(t, filepath.Join(dir, "api"))
	post := func(ctx context.Context, client *http.Client, path, body string) (int, string, string) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := client.Do(r)
		if err != nil {
			return 0, "", err.Error()
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, res.Header.Get(hostapi.OutcomeHeader), string(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, _, text := post(ctx, clients, hostapi.PathOp+"p", "hi")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "re hi", text)
	status, outcome, _ := post(ctx, clients, hostapi.PathOp+"absent", "hi")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, outcome, _ = post(ctx, clients, hostapi.PathOp+"p",
		strings.Repeat("x", hostapi.MaxOpBytes+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, _, _ = post(ctx, clients, hostapi.PathControl+"kill/p", "")
	require.Equal(t, http.StatusNotFound, status, "the client API must not carry the fault hooks")

	short, cancelShort := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancelShort()
	status, _, _ = post(short, clients, hostapi.PathOp+"p", "never")
	require.Zero(t, status)
	within(t, "the host forgets a client that went away", func() bool {
		return h.Health().Listeners[0].Operations == 0
	})

	status, outcome, text = post(ctx, clients, hostapi.PathOp+"silent", "hi")
	require.Equal(t, http.StatusMethodNotAllowed, status, "at once: it would never answer")
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	require.Contains(t, text, "silent: the process serves no operations")

	control := socketClient(t, filepath.Join(dir, "ctl"))
	status, _, _ = post(ctx, control, hostapi.PathControl+"kill/p", "")
	require.Equal(t, http.StatusNoContent, status)
	status, outcome, _ = post(ctx, clients, hostapi.PathOp+"p", "hi")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, _, _ = post(ctx, control, hostapi.PathClock, `{"offset_ns": 3600000000000, "drift_ppm": 5}`)
	require.Equal(t, http.StatusNoContent, status)
	require.Greater(t, time.Until(h.clock.wallTime()), 59*time.Minute)
	status, _, text = post(ctx, control, hostapi.PathClock, `{"offset": 1}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "unknown field")
}

// answerUnlessNever is a process that answers every operation but "never".
func answerUnlessNever(e env.Env, ev env.Event) {
	if op, ok := ev.(env.Invoked); ok && string(op.Input) != "never" {
		e.Complete(op.Op, append([]byte("re "), op.Input...))
	}
}

// socketClient returns a client of a unix socket.
func socketClient(t *testing.T, path string) *http.Client {
	t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// TestReadiness: the machine is ready while its processes run.
func TestReadiness(t *testing.T) {
	dir := socketDir(t)
	h, _ := up(t, Config{Dir: dir, APISocket: filepath.Join(dir, "api"),
		Processes: []Process{process("p", answerUnlessNever)}})
	get := func(path string) (int, string) {
		res, err := socketClient(t, filepath.Join(dir, "api")).Get("http://node" + path)
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text)
	}
	within(t, "it is ready", func() bool {
		status,
			_ := get(hostapi.PathReady)
		return status == http.StatusOK
	})
	require.NoError(t, h.Kill("p"))
	status, text := get(hostapi.PathReady)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"ready":false,"reasons":["process p is down"]}`, text)
	status, _ = get(hostapi.PathMetrics)
	require.Equal(t, http.StatusNotFound, status, "this host was configured without")
}
