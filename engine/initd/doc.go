// Package initd shuts a machine down in order. Its process receives the request to shut the machine down
// or to reboot it, asks the LRM to end, then the CRM, and switches the machine off when both have ended.
// Each of the two first does what its policies require. The process also ends and starts single
// processes, as an operator does for an update.
//
// The LRM may take as long as it needs: it ends when its services have ended. The CRM has a time
// limit.
//
// When both have ended in order, the node leaves its ring before the machine is switched off, so that the
// others need not wait for a time-out. If one of them has not, the node does not leave: what it did not end
// might still run.
//
// Package initd never decides anything about services, and never keeps a request across its own restart:
// an interrupted request must be repeated.
package initd

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Process is the name of the process on a machine.
const Process = "init"

// Verb is what a request asks for.
type Verb string

// Verbs of requests.
const (
	// Shutdown and Reboot take the machine down; after Reboot it boots again.
	Shutdown Verb = "shutdown"
	Reboot   Verb = "reboot"
	// Restart ends one process, which is then started again; Stop ends one; Start starts one.
	Restart Verb = "restart"
	Stop    Verb = "stop"
	Start   Verb = "start"
	// Leave ends the services, as for a restart of everything that runs the node, and leaves the ring; the
	// machine stays on. It is answered when the node has left.
	Leave Verb = "leave"
	// Unfinished is what a process reports that ends although something that it manages may run on. It counts
	// as one that did not end in order.
	Unfinished Verb = "unfinished"
)

// ErrRequest means that a request cannot be understood or names an unknown service.
var ErrRequest = errors.New("init request not understood")

// Request asks the process for an action, as a local message or as an operation.
type Request struct {
	Verb Verb `json:"verb"`
	// Service is the process that Restart, Stop and Start are about.
	Service string `json:"service,omitempty"`
}

// Answer is the answer to an operation: the request was accepted, which does not mean that it is done.
type Answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Order is the local message that asks a process to end.
type Order struct {
	// Down is true if the whole machine goes down; Reboot is true if it boots again.
	Down   bool `json:"down,omitempty"`
	Reboot bool `json:"reboot,omitempty"`
	// Stay is true if the process must not be started again.
	Stay bool `json:"stay,omitempty"`
}

// Encode returns the request as JSON.
func (r Request) Encode() []byte { return env.EncodeJSON(r) }

// DecodeOrder reads an order from JSON. It returns ErrRequest for anything else.
func DecodeOrder(data []byte) (Order, error) {
	var o Order
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return o, nil
}

// Options configure the process.
type Options struct {
	// Services are the processes that end before the machine does, in this order.
	Services []Service
	// Leave is how the node leaves its ring once the services have ended; nil leaves it to be missed by the
	// other nodes.
	Leave *LeaveOptions
}

// LeaveOptions describe how the node leaves its ring.
type LeaveOptions struct {
	// Process is asked by a local message with this request.
	Process string
	Request []byte
	// Ends is the process that has ended when the node has left.
	Ends string
	// Within is how long that may take; the machine then goes down without it.
	Within time.Duration
}

// Service is a process that is asked to end before the machine goes down.
type Service struct {
	Name string
	// Within is how long it may take to end; 0 means no limit.
	Within time.Duration
}

// indexOf returns the position of a service in the order, or -1 when no service has that name.
func (o *Options) indexOf(name string) int {
	return slices.IndexFunc(o.Services, func(s Service) bool { return s.Name == name })
}
