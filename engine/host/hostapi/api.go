// Package hostapi is the HTTP API of a machine that package host runs: the paths, the answers, and the
// server. Clients give operations to processes and ask for the machine's health; the control socket also
// has the hooks for faults.
//
// Whoever can open a unix socket may do everything. Over TCP there is TLS, and a client shows a token or a
// certificate, which has a role. Each listener has limits of its own, so that the clients of one cannot lock
// out those of another.
//
// Package hostapi never reads the input or output of an operation: what it may do comes from [ProcessAPI].
package hostapi

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Paths of the API. The control socket has PathControl as well.
const (
	PathOp      = "/v1/op/" // a process's name follows
	PathHealth  = "/v1/health"
	PathReady   = "/v1/ready"    // 200 if the machine serves, else 503; the body is a Readiness
	PathMetrics = "/metrics"     // for Prometheus and OpenMetrics scrapers
	PathControl = "/v1/control/" // kill, start, pause or resume, then / and a process's name
	PathClock   = "/v1/control/clock"
)

// OutcomeHeader is the header of every answer to an operation that is not 200 OK: OutcomeRefused if the
// operation certainly was not carried out, OutcomeUnknown if it may have been.
const (
	OutcomeHeader  = "Holdfast-Outcome"
	OutcomeRefused = "refused"
	OutcomeUnknown = "unknown"
)

// MaxOpBytes is the largest input of one operation.
const MaxOpBytes = 4 << 20

// ClockSetting is the body of a request to PathClock.
type ClockSetting struct {
	OffsetNS int64 `json:"offset_ns"`
	DriftPPM int64 `json:"drift_ppm"`
}

// Machine is what the API serves.
type Machine interface {
	// Invoke gives an operation to a process and waits for the answer. It fails with ErrNoProcess or
	// ErrRefused if the operation was certainly not given to the process; any other error leaves the
	// outcome unknown.
	Invoke(ctx context.Context, process string, input []byte) ([]byte, error)
	// API returns what a process declares about its operations.
	API(process string) ProcessAPI
	// Health returns the present state of the machine.
	Health() Health
	// Ready reports whether the machine serves its clients.
	Ready(ctx context.Context) Readiness
	// ServeMetrics answers a request to PathMetrics.
	ServeMetrics(w http.ResponseWriter, r *http.Request)
	// Kill, Start, Pause and Resume act on a process. They fail with ErrNoProcess.
	Kill(process string) error
	Start(process string) error
	Pause(process string) error
	Resume(process string) error
	// SetClock makes the machine's clocks wrong from now on.
	SetClock(offset time.Duration, driftPPM int64) error
}

var (
	// ErrNoProcess means that no process with the name is configured.
	ErrNoProcess = errors.New("no such process")
	// ErrNoOperations means that the process serves no operations at all.
	ErrNoOperations = errors.New("the process serves no operations")
	// ErrRefused means that the operation was certainly not given to the process.
	ErrRefused = errors.New("operation refused")
	// ErrUnknown means that the operation was given to the process and no answer came: it may have
	// happened, may still happen, or never will.
	ErrUnknown = errors.New("outcome unknown")
)

// ProcessAPI is what a process declares about the operations of its clients. The zero value serves all of
// them, and takes each for a change.
type ProcessAPI struct {
	// NoOperations refuses every operation at once: the process would never answer.
	NoOperations bool
	// Reserved keeps places for operations of this process, for what must work however busy the machine
	// is: shutting it down. The process must answer at once.
	Reserved bool
	// ReadOnly reports whether an operation changes nothing, so that a client that may only read may ask
	// for it. It is called by many goroutines at a time; nil stands for never.
	ReadOnly func(input []byte) bool
}

// Readiness is whether a machine serves its clients.
type Readiness struct {
	Ready bool `json:"ready"`
	// Reasons are why not, or what a client should know although the machine serves.
	Reasons []string `json:"reasons,omitempty"`
}
