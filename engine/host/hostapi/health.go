package hostapi

import "time"

// Health is the state of a host.
type Health struct {
	Machine   int             `json:"machine"`
	Name      string          `json:"name"`
	PID       int             `json:"pid"`
	Boot      uint64          `json:"boot"`
	Uptime    time.Duration   `json:"uptime_ns"`
	Processes []ProcessHealth `json:"processes"`
	// RecordsLost counts records that could not be written.
	RecordsLost uint64 `json:"records_lost"`
}

// ProcessHealth is the state of one process.
type ProcessHealth struct {
	Name        string       `json:"name"`
	State       ProcessState `json:"state"`
	Incarnation uint64       `json:"incarnation"`
	// Ended is why its last incarnation ended by itself; "" if none did.
	Ended string `json:"ended,omitempty"`

	Received        uint64 `json:"received"`
	Sent            uint64 `json:"sent"`
	SendErrors      uint64 `json:"send_errors"`
	QueueOverflows  uint64 `json:"queue_overflows"`
	UnknownSources  uint64 `json:"unknown_sources"`
	OperationsGiven uint64 `json:"operations_given"`

	Probes map[string]uint64 `json:"probes,omitempty"`
}

// ProcessState is whether a process runs.
type ProcessState string

const (
	// StateStarting has not returned from its Start yet.
	StateStarting ProcessState = "starting"
	// StateRunning takes events.
	StateRunning ProcessState = "running"
	// StatePaused was paused with a request to PathControl.
	StatePaused ProcessState = "paused"
	// StateDown has ended and was not started again yet.
	StateDown ProcessState = "down"
)
