package hostapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxOpWait bounds the wait for the answer to one operation, maxReadyWait the one for readiness, and
// maxControlBytes the body of a control request.
const (
	maxOpWait       = 10 * time.Minute
	maxReadyWait    = 5 * time.Second
	maxControlBytes = 16 << 10
)

// ClientHandler returns the handler of the client API, with the limits of a unix socket.
func ClientHandler(m Machine) *http.ServeMux { return clientHandler(m, newLimiter(localLimits)) }

func clientHandler(m Machine, l *limiter) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathOp+"{process}", func(w http.ResponseWriter, r *http.Request) {
		serveOp(m, l, w, r)
	})
	mux.HandleFunc("GET "+PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, m.Health())
	})
	mux.HandleFunc("GET "+PathReady, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), maxReadyWait)
		defer cancel()
		status, ready := http.StatusOK, m.Ready(ctx)
		if !ready.Ready {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, ready)
	})
	mux.HandleFunc("GET "+PathMetrics, m.ServeMetrics)
	return mux
}

// ControlHandler returns the handler of the control socket: the client API and the hooks for faults.
func ControlHandler(m Machine) *http.ServeMux { return controlHandler(m, newLimiter(localLimits)) }

func controlHandler(m Machine, l *limiter) *http.ServeMux {
	mux := clientHandler(m, l)
	for verb, do := range map[string]func(string) error{
		"kill": m.Kill, "start": m.Start, "pause": m.Pause, "resume": m.Resume,
	} {
		mux.HandleFunc("POST "+PathControl+verb+"/{process}", func(w http.ResponseWriter, r *http.Request) {
			writeControlResult(w, do(r.PathValue("process")))
		})
	}
	mux.HandleFunc("POST "+PathClock, func(w http.ResponseWriter, r *http.Request) {
		var c ClockSetting
		d := json.NewDecoder(io.LimitReader(r.Body, maxControlBytes))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			writeControlResult(w, fmt.Errorf("reading a clock setting: %w", err))
			return
		}
		writeControlResult(w, m.SetClock(time.Duration(c.OffsetNS), c.DriftPPM))
	})
	return mux
}

// serveOp gives the body of a request to a process as operation, and writes the answer.
func serveOp(m Machine, l *limiter, w http.ResponseWriter, r *http.Request) {
	process := r.PathValue("process")
	api := m.API(process)
	if api.NoOperations {
		w.Header().Set("Allow", "")
		writeOutcome(w, http.StatusMethodNotAllowed, OutcomeRefused, fmt.Errorf("%s: %w", process,
			ErrNoOperations))
		return
	}
	size := r.ContentLength
	if size < 0 || size > MaxOpBytes {
		size = MaxOpBytes
	}
	leave, err := l.admitOperation(clientFrom(r.Context()), size, api.Reserved)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		writeOutcome(w, http.StatusServiceUnavailable, OutcomeRefused, err)
		return
	}
	defer leave()
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
	if roleFrom(r.Context()) != RoleWrite && (api.ReadOnly == nil || !api.ReadOnly(input)) {
		writeOutcome(w, http.StatusForbidden, OutcomeRefused, fmt.Errorf(
			"%w: this client has the role %q and the operation may change something", ErrAccess, RoleRead))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxOpWait)
	defer cancel()
	output, err := m.Invoke(ctx, process, input)
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

// writeOutcome writes the error of an operation, and whether the operation may have been carried out.
func writeOutcome(w http.ResponseWriter, status int, outcome string, err error) {
	w.Header().Set(OutcomeHeader, outcome)
	writeJSON(w, status, map[string]string{"error": err.Error(), "outcome": outcome})
}

// writeControlResult reports the result of a control request.
func writeControlResult(w http.ResponseWriter, err error) {
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

// writeJSON writes a status and a JSON body.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
