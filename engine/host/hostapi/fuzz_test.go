package hostapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// echo answers every operation with its input.
type echo struct{ e env.Env }

func (p *echo) Start(e env.Env) error { p.e = e; return nil }

func (p *echo) Step(ev env.Event) {
	if op, ok := ev.(env.Invoked); ok {
		p.e.Complete(op.Op, op.Input)
	}
}

// FuzzAPI sends any request to a running host: the host continues and answers with a status of its own,
// and every answer to an operation that was not carried out reports whether it may have been.
func FuzzAPI(f *testing.F) {
	const hugeClock = `{"offset_ns": 9223372036854775807, "drift_ppm": 9223372036854775807}`
	for _, seed := range []struct{ method, path, body string }{
		{"POST", hostapi.PathOp + "p", "hi"}, {"POST", hostapi.PathOp + "q", "hi"},
		{"GET", hostapi.PathHealth, ""}, {"GET", hostapi.PathOp + "p", ""},
		{"POST", hostapi.PathOp + "p/../../health", ""}, {"POST", hostapi.PathOp, "x"},
		{"POST", hostapi.PathControl + "kill/p", ""}, {"POST", hostapi.PathControl + "start/p", ""},
		{"POST", hostapi.PathControl + "pause/q", ""}, {"POST", hostapi.PathControl + "fly/p", ""},
		{"POST", hostapi.PathClock, `{"offset_ns": 1, "drift_ppm": -1}`},
		{"POST", hostapi.PathClock, hugeClock},
		{"POST", hostapi.PathClock, `{"offset": []}`}, {"DELETE", "/", ""},
	} {
		f.Add(seed.method, seed.path, []byte(seed.body))
	}
	h, err := host.New(host.Config{Machine: 0, Name: "m", Dir: f.TempDir(), Processes: []host.Process{
		{Name: "p", New: func() env.Process { return &echo{} }}}})
	require.NoError(f, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	f.Cleanup(func() { cancel(); require.NoError(f, <-ended) })
	apis := []*http.ServeMux{hostapi.ClientHandler(host.MachineOf(h)),
		hostapi.ControlHandler(host.MachineOf(h))}
	known := []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusServiceUnavailable, http.StatusBadGateway,
		http.StatusGatewayTimeout, http.StatusRequestEntityTooLarge, http.StatusMovedPermanently,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path == "" || u.Path[0] != '/' {
			t.Skip("no request that a server would pass on")
		}
		ask, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		for _, api := range apis {
			r := (&http.Request{Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Host: "m",
				RequestURI: path}).WithContext(ask)
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			require.True(t, slices.Contains(known, w.Code), "%s %s: %d", method, path, w.Code)
			_, pattern := api.Handler(r)
			if pattern == "POST "+hostapi.PathOp+"{process}" && w.Code != http.StatusOK {
				require.Contains(t, []string{hostapi.OutcomeRefused, hostapi.OutcomeUnknown},
					w.Header().Get(hostapi.OutcomeHeader), "%s %s", method, path)
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("the host has ended: %v", err)
		default:
		}
		require.NotEmpty(t, h.Health().Processes)
	})
}
