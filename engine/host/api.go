package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Paths of the API. The client API has PathOp (a process's name follows) and PathHealth; the
// control socket has the rest as well.
const (
	PathOp      = "/v1/op/"
	PathHealth  = "/v1/health"
	PathControl = "/v1/control/" // kill, start, pause or resume, then / and a process's name
	PathClock   = "/v1/control/clock"
)

// OutcomeHeader reports, in every answer to an operation other than 200 OK, whether the operation was
// certainly not carried out (OutcomeRefused) or may have been (OutcomeUnknown).
const (
	OutcomeHeader  = "Holdfast-Outcome"
	OutcomeRefused = "refused"
	OutcomeUnknown = "unknown"
)

// Limits of the API.
const (
	apiHeaderTimeout = 10 * time.Second
	apiReadTimeout   = 30 * time.Second
	apiIdleTimeout   = 2 * time.Minute
	maxHeaderBytes   = 16 << 10
	maxOpWait        = 10 * time.Minute
	socketMode       = 0o600
)

// ClockSetting is the body of a request to PathClock.
type ClockSetting struct {
	OffsetNS int64 `json:"offset_ns"`
	DriftPPM int64 `json:"drift_ppm"`
}

type apiServer struct {
	listener net.Listener
	path     string // of the unix socket, to remove
	server   *http.Server
	once     sync.Once
}

func (h *Host) openAPIs() error {
	for _, want := range []struct {
		network, address string
		handler          http.Handler
	}{
		{"unix", h.cfg.APISocket, h.clientAPI()},
		{"tcp", h.cfg.APIAddr, h.clientAPI()},
		{"unix", h.cfg.ControlSocket, h.controlAPI()},
	} {
		if want.address == "" {
			continue
		}
		a, err := listen(want.network, want.address, want.handler)
		if err != nil {
			return err
		}
		h.apis = append(h.apis, a)
	}
	return nil
}

func listen(network, address string, handler http.Handler) (*apiServer, error) {
	a := &apiServer{server: &http.Server{Handler: handler, ReadHeaderTimeout: apiHeaderTimeout,
		ReadTimeout: apiReadTimeout, IdleTimeout: apiIdleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: log.New(io.Discard, "", 0)}}
	if network == "unix" {
		if err := removeStaleSocket(address); err != nil {
			return nil, err
		}
		a.path = address
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listening for clients: %w", err)
	}
	a.listener = l
	if network == "unix" {
		if err := os.Chmod(address, socketMode); err != nil {
			l.Close()
			return nil, fmt.Errorf("protecting %s: %w", address, err)
		}
	}
	return a, nil
}

// removeStaleSocket removes the socket that a killed program left. It fails if a program serves the
// socket, because two programs for one machine would be a mistake.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%w: %s is there and is no socket: choose another path", ErrConfig, path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%w: %s is served by a running program: stop it first", ErrConfig, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a stale socket: %w", err)
	}
	return nil
}

func (a *apiServer) serve(h *Host) {
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		h.fail(fmt.Errorf("serving clients: %w", err))
	}
}

func (a *apiServer) close() {
	a.once.Do(func() {
		a.server.Close()
		a.listener.Close()
		if a.path != "" {
			_ = os.Remove(a.path)
		}
	})
}

func (h *Host) clientAPI() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathOp+"{process}", h.serveOp)
	mux.HandleFunc("GET "+PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, h.Health())
	})
	return mux
}

func (h *Host) controlAPI() *http.ServeMux {
	mux := h.clientAPI()
	for verb, do := range map[string]func(string) error{
		"kill": h.Kill, "start": h.Start, "pause": h.Pause, "resume": h.Resume,
	} {
		mux.HandleFunc("POST "+PathControl+verb+"/{process}", func(w http.ResponseWriter, r *http.Request) {
			answer(w, do(r.PathValue("process")))
		})
	}
	mux.HandleFunc("POST "+PathClock, func(w http.ResponseWriter, r *http.Request) {
		var c ClockSetting
		d := json.NewDecoder(io.LimitReader(r.Body, maxHeaderBytes))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			answer(w, fmt.Errorf("reading a clock setting: %w", err))
			return
		}
		answer(w, h.SetClock(time.Duration(c.OffsetNS), c.DriftPPM))
	})
	return mux
}

func (h *Host) serveOp(w http.ResponseWriter, r *http.Request) {
	input, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxOpBytes))
	if err != nil {
		status := http.StatusBadRequest
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		writeOutcome(w, status, OutcomeRefused, fmt.Errorf("reading the operation: %w", err))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxOpWait)
	defer cancel()
	output, err := h.Invoke(ctx, r.PathValue("process"), input)
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(output) // a client that is gone has an unknown outcome by itself
	case errors.Is(err, ErrNoProcess):
		writeOutcome(w, http.StatusNotFound, OutcomeRefused, err)
	case errors.Is(err, ErrRefused):
		writeOutcome(w, http.StatusServiceUnavailable, OutcomeRefused, err)
	case errors.Is(err, context.DeadlineExceeded):
		writeOutcome(w, http.StatusGatewayTimeout, OutcomeUnknown, err)
	default:
		writeOutcome(w, http.StatusBadGateway, OutcomeUnknown, err)
	}
}

func writeOutcome(w http.ResponseWriter, status int, outcome string, err error) {
	w.Header().Set(OutcomeHeader, outcome)
	writeJSON(w, status, map[string]string{"error": err.Error(), "outcome": outcome})
}

// answer writes the result of a control request.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, ErrNoProcess) {
			status = http.StatusNotFound
		}
		writeJSON(w, status, map[string]string{"error": err.Error()})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
