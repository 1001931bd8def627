package host

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// FuzzAPI: whatever is asked, the host lives on and answers in its own words, and every operation
// that was not carried out reports whether it may have been.
func FuzzAPI(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"POST", PathOp + "p", "hi"}, {"POST", PathOp + "q", "hi"}, {"GET", PathHealth, ""}, {"GET",
			PathOp + "p", ""},
		{"POST", PathOp + "p/../../health", ""}, {"POST", PathOp, "x"}, {"POST", PathControl + "kill/p", ""},
		{"POST", PathControl + "start/p", ""}, {"POST", PathControl + "pause/q", ""}, {"POST",
			PathControl + "fly/p", ""},
		{"POST", PathClock, `{"offset_ns": 1, "drift_ppm": -1}`}, {"POST", PathClock,
			`{"offset_ns": 9223372036854775807, "drift_ppm": 9223372036854775807}`},
		{"POST", PathClock, `{"offset": []}`}, {"DELETE", "/", ""},
	} {
		f.Add(seed.method, seed.path, []byte(seed.body))
	}
	h, err := New(Config{Machine: 0, Name: "m", Dir: f.TempDir(), Processes: []Process{
		process("p", func(e env.Env, ev env.Event) {
			if op, ok := ev.(env.Invoked); ok {
				e.Complete(op.Op, op.Input)
			}
		})}})
	require.NoError(f, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	f.Cleanup(func() { cancel(); require.NoError(f, <-ended) })
	apis := []http.Handler{h.clientAPI(), h.controlAPI()}
	known := []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest, http.StatusNotFound,
		http.StatusMethodNotAllowed,
		http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout,
		http.StatusRequestEntityTooLarge,
		http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path == "" || u.Path[0] != '/' {
			t.Skip("no request that a server would pass on")
		}
		ask, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		for _, api := range apis {
			r := (&http.Request{Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header: http.Header{},
				Body:   readCloser{bytes.NewReader(body)}, Host: "m", RequestURI: path}).WithContext(ask)
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			require.True(t, slices.Contains(known, w.Code), "%s %s: %d", method, path, w.Code)
			_, pattern := http.Handler(api).(*http.ServeMux).Handler(r)
			if pattern == "POST "+PathOp+"{process}" && w.Code != http.StatusOK {
				require.Contains(t, []string{OutcomeRefused, OutcomeUnknown}, w.Header().Get(OutcomeHeader),
					"%s %s", method, path)
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

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
