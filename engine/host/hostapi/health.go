package hostapi

import (
	"fmt"
	"time"
)

// Health is the state of a host.
type Health struct {
	Machine   int              `json:"machine"`
	Name      string           `json:"name"`
	PID       int              `json:"pid"`
	Boot      uint64           `json:"boot"`
	Uptime    time.Duration    `json:"uptime_ns"`
	Processes []ProcessHealth  `json:"processes"`
	Listeners []ListenerHealth `json:"listeners,omitempty"`
	// RecordsLost counts records that could not be written.
	RecordsLost uint64 `json:"records_lost"`
	// Timescale is the ratio that multiplies the timers of the processes, such as "1/20"; "" is 1.
	Timescale string `json:"timescale,omitempty"`
	// Nodes are the names of all configured machines of the cluster, where the host was given them.
	Nodes []string `json:"nodes,omitempty"`
}

// AllRunning is readiness as far as the machine itself can know it: its processes take events.
func (h *Health) AllRunning() Readiness {
	out := Readiness{Ready: true}
	for _, p := range h.Processes {
		if p.State != StateRunning {
			out.Ready = false
			out.Reasons = append(out.Reasons, fmt.Sprintf("process %s is %s", p.Name, p.State))
		}
	}
	return out
}

// ProcessHealth is the state of one process.
type ProcessHealth struct {
	Name        string       `json:"name"`
	State       ProcessState `json:"state"`
	Incarnation uint64       `json:"incarnation"`
	// Ended is why its last incarnation ended by itself; "" if none did.
	Ended string `json:"ended,omitempty"`

	Received       uint64 `json:"received"`
	Sent           uint64 `json:"sent"`
	SendErrors     uint64 `json:"send_errors"`
	QueueOverflows uint64 `json:"queue_overflows"`
	UnknownSources uint64 `json:"unknown_sources"`
	// Strangers are the addresses behind UnknownSources.
	Strangers       []Stranger `json:"strangers,omitempty"`
	OperationsGiven uint64     `json:"operations_given"`

	Probes map[string]uint64 `json:"probes,omitempty"`
}

// ListenerHealth is what the clients of one listener hold, and how often one was refused because the
// listener had no room.
type ListenerHealth struct {
	Name               string `json:"name"` // ListenerSocket, ListenerRemote, ListenerControl
	Connections        int    `json:"connections"`
	Operations         int    `json:"operations"`
	RefusedConnections uint64 `json:"refused_connections"`
	RefusedOperations  uint64 `json:"refused_operations"`
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

// Stranger is an address of no machine that has sent datagrams to a process.
type Stranger struct {
	Address   string `json:"address"` // or OtherStrangers
	Datagrams uint64 `json:"datagrams"`
}

// OtherStrangers stands for all addresses beyond the number that is told apart.
const OtherStrangers = "other"
