package haspec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Requests that clients make for services; the history calls their operations so.
const (
	RequestStart    = "start"    // the service must run from now on
	RequestStop     = "stop"     // it must be stopped and stay stopped
	RequestMigrate  = "migrate"  // to another node, while it runs where it can
	RequestRelocate = "relocate" // to another node, stopped on the way
)

// Operations are clients that make requests for services at random, as users of ha-manager do. They
// work beside the workload, whose clients read and write files.
type Operations struct {
	// Clients is how many there are; the default is one. Each makes one request at a time.
	Clients int `yaml:"clients,omitempty" json:"clients,omitempty"`
	// Count is how many requests they make together, spread over the duration.
	Count int `yaml:"count" json:"count"`
	// Kinds are the requests to draw from: start, stop, migrate, relocate; the default is all.
	Kinds []string `yaml:"kinds,omitempty,flow" json:"kinds,omitempty"`
	// Services are those that requests are for; the default is all.
	Services []string `yaml:"services,omitempty,flow" json:"services,omitempty"`
	// CarriedOutWithin bounds how long an unobstructed request may take; the default is
	// DefaultCarriedOutWithin.
	CarriedOutWithin time.Duration `yaml:"carried_out_within,omitempty" json:"carried_out_within,omitempty"`
}

// Limits and defaults of requests.
const (
	maxRequestClients       = 100
	maxRequests             = 100_000
	DefaultCarriedOutWithin = 3 * time.Minute
)

// RequestKinds returns all kinds of requests, in the order in which they are drawn.
func RequestKinds() []string {
	return []string{RequestStart, RequestStop, RequestMigrate, RequestRelocate}
}

// IsRequest reports whether an operation of the history is a request for a service.
func IsRequest(function string) bool { return slices.Contains(RequestKinds(), function) }

func (s *Spec) checkOperations() error {
	o := s.Operations
	switch {
	case o == nil:
		return nil
	case o.Count < 1 || o.Count > maxRequests || o.Clients < 0 || o.Clients > maxRequestClients:
		return fmt.Errorf("operations: %d requests of %d clients: write 1 to %d requests, "+
			"and at most %d clients", o.Count, o.Clients, maxRequests, maxRequestClients)
	case o.CarriedOutWithin < 0:
		return errors.New("operations: carried_out_within cannot be below 0")
	case len(s.Services) == 0:
		return errors.New("operations: there are no services to make requests for")
	}
	for _, kind := range o.Kinds {
		if !IsRequest(kind) {
			return fmt.Errorf("operations: no request is called %q; write some of %s",
				kind, strings.Join(RequestKinds(), ", "))
		}
	}
	for _, sid := range o.Services {
		if s.Services[sid] == "" {
			return fmt.Errorf("operations: there is no service %s", sid)
		}
	}
	return nil
}

// Request is what a client wants of a service.
type Request struct {
	Kind string // RequestStart and so on
	SID  string
	Node string // the target of a move
}

// Moves reports whether the request is for the service to run on another node.
func (r Request) Moves() bool { return r.Kind == RequestMigrate || r.Kind == RequestRelocate }

// Line returns a move as a line of ha/crm_commands, without its end.
func (r Request) Line() string { return r.Kind + " " + r.SID + " " + r.Node }

// Wants returns the state that a request asks for that is not a move.
func (r Request) Wants() ha.RequestedState {
	if r.Kind == RequestStart {
		return ha.WantStarted
	}
	return ha.WantStopped
}
