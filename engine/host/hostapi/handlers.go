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

// maxOpWait bounds the wait for the answer to one operation, maxControlBytes the body of a control
// request.
const (
	maxOpWait       = 10 * time.Minute
	maxControlBytes = 16 << 10
)

// ClientHandler returns the handler of the client API.
func ClientHandler(m Machine) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathOp+"{process}", func(w http.ResponseWriter, r *http.Request) {
		serveOp(m, w, r)
	})
	mux.HandleFunc("GET "+PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, m.Health())
	})
	return mux
}

// ControlHandler returns the handler of the control socket: the client API and the hooks for faults.
func ControlHandler(m Machine) *http.ServeMux {
	mux := ClientHandler(m)
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
func serveOp(m Machine, w http.ResponseWriter, r *http.Request) {
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
	output, err := m.Invoke(ctx, r.PathValue("process"), input)
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
