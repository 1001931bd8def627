// Package hostapi is the HTTP API of a machine that package host runs: the paths, the answers, and the
// server. Clients give operations to processes and ask for the machine's health; the control socket also
// has the hooks for faults.
//
// Package hostapi never reads the input or output of an operation and never authenticates a client: every
// client that can connect may call it.
package hostapi

import (
	"context"
	"errors"
	"time"
)

// Paths of the API. The client API has PathOp (a process's name follows) and PathHealth; the control
// socket has the rest as well.
const (
	PathOp      = "/v1/op/"
	PathHealth  = "/v1/health"
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
	// Health returns the present state of the machine.
	Health() Health
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
	// ErrRefused means that the operation was certainly not given to the process.
	ErrRefused = errors.New("operation refused")
	// ErrUnknown means that the operation was given to the process and no answer came: it may have
	// happened, may still happen, or never will.
	ErrUnknown = errors.New("outcome unknown")
)
