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
	h, _ := up(t, Config{Dir: dir, APIAddr: "127.0.0.1:0", ControlSocket: filepath.Join(dir, "ctl"),
		Processes: []Process{process("p", func(e env.Env, ev env.Event) {
			if op, ok := ev.(env.Invoked); ok && string(op.Input) != "never" {
				e.Complete(op.Op, append([]byte("re "), op.Input...))
			}
		})}})
	url := "http://" + h.apiServers[0].Addr().String()
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
	status, _, text := post(ctx, http.DefaultClient, hostapi.PathOp+"p", "hi")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "re hi", text)
	status, outcome, _ := post(ctx, http.DefaultClient, hostapi.PathOp+"absent", "hi")
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, outcome, _ = post(ctx, http.DefaultClient, hostapi.PathOp+"p",
		strings.Repeat("x", hostapi.MaxOpBytes+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, _, _ = post(ctx, http.DefaultClient, hostapi.PathControl+"kill/p", "")
	require.Equal(t, http.StatusNotFound, status, "the client API must not carry the fault hooks")

	short, cancelShort := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancelShort()
	status, _, _ = post(short, http.DefaultClient, hostapi.PathOp+"p", "never")
	require.Zero(t, status)
	within(t, "the host forgets a client that went away", func() bool {
		return h.opsInFlight.Load() == 0
	})

	control := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, "ctl"))
		}}}
	defer control.CloseIdleConnections()
	status, _, _ = post(ctx, control, hostapi.PathControl+"kill/p", "")
	require.Equal(t, http.StatusNoContent, status)
	status, outcome, _ = post(ctx, http.DefaultClient, hostapi.PathOp+"p", "hi")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, hostapi.OutcomeRefused, outcome)
	status, _, _ = post(ctx, control, hostapi.PathClock, `{"offset_ns": 3600000000000, "drift_ppm": 5}`)
	require.Equal(t, http.StatusNoContent, status)
	require.Greater(t, time.Until(h.clock.wallTime()), 59*time.Minute)
	status, _, text = post(ctx, control, hostapi.PathClock, `{"offset": 1}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "unknown field")
}
