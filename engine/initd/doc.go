// Package initd takes a machine down in good order. Its process gets the wish to shut the machine
// down or to reboot it, asks the agent of the HA manager to end, then the manager, each of which
// first does what its policies say, and switches the machine off when both have ended. It also ends
// and starts single ones of them, as an operator does for an update.
//
// An agent may take as long as it wants: it ends when its services have. The manager may not.
//
// Package initd decides nothing about services, and keeps nothing over its own restart: a wish
// that was cut off must be repeated.
package initd

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Process is the name under which this runs on a machine.
const Process = "init"

// Verbs of requests.
const (
	// Shutdown and Reboot take the machine down; after Reboot it boots again.
	Shutdown = "shutdown"
	Reboot   = "reboot"
	// Restart ends one process, which is then started again; Stop ends one; Start starts one.
	Restart = "restart"
	Stop    = "stop"
	Start   = "start"
)

// ErrRequest means that a request makes no sense.
var ErrRequest = errors.New("init request not understood")

// Request is what the process is asked for, as a local message or as an operation.
type Request struct {
	Verb string `json:"verb"`
	// Service is the process that Restart, Stop and Start are about.
	Service string `json:"service,omitempty"`
}

// Answer is what an operation is answered with: that the request was taken, not that it is done.
type Answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Order is what a process that is to end gets as a local message from this one.
type Order struct {
	// Down says that the whole machine goes down, Reboot that it comes back.
	Down   bool `json:"down,omitempty"`
	Reboot bool `json:"reboot,omitempty"`
	// Stay says that the process is not wanted again.
	Stay bool `json:"stay,omitempty"`
}

// Encode writes a request.
func (r Request) Encode() []byte { return encode(r) }

// DecodeOrder reads an order.
func DecodeOrder(data []byte) (Order, error) {
	var o Order
	if err := json.Unmarshal(data, &o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return o, nil
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("shutdown: encoding plain values: " + err.Error())
	}
	return data
}

// Options configure the process.
type Options struct {
	// Services are the processes that end before the machine does, in this order.
	Services []Service
}

// Service is a process that ends in good order.
type Service struct {
	Name string
	// Within is how long it may take; 0 is without limit.
	Within time.Duration
}

// index is a service's place in the order, -1 when there is none of that name.
func (o *Options) index(name string) int {
	return slices.IndexFunc(o.Services, func(s Service) bool { return s.Name == name })
}
