// Package haproc runs the HA manager's decisions on a node: the crm and the lrm process, which
// give the pure logic of engine/ha its environment: files are in the replicated store in their well-known
// places and formats, locks and the watchdog are those of the store and of the machine, resource
// commands run in tasks beside the rounds.
//
// Package haproc never decides anything about services. It adds one rule of its own: what the
// master writes is written only over what the master has read.
package haproc

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// Names under which the processes run on a machine.
const (
	CRMProcess = "crm"
	LRMProcess = "lrm"
)

// Node is a configured node of the cluster.
type Node struct {
	ID   ring.NodeID
	Name string
}

// Options configure both processes of a node.
type Options struct {
	// Node is this node's name, Nodes the configured ones in the order of their ids.
	Node  string
	Nodes []Node
	// Timescale multiplies every time of the HA manager.
	Timescale timescale.Ratio
	// Self is what the node tells the others of itself.
	Self Info
	// NewDriver makes the driver of the resources on this node.
	NewDriver DriverMaker
	// StopTimeout is how long a resource has for an orderly stop when the command does not say;
	// DefaultStopTimeout unless set.
	StopTimeout time.Duration
	// MoveTimeout ends the attempt to move a running resource; DefaultMoveTimeout unless set.
	MoveTimeout time.Duration
}

// DefaultStopTimeout is how long guests may take to shut down before they are ended by force.
const DefaultStopTimeout = 60 * time.Second

// ErrNoMargin means that a takeover could come before the watchdog.
var ErrNoMargin = errors.New("no safety margin")

// Margin is the time between the last instant at which a node's watchdog resets it and the first
// at which another node may take its services, both counted from the last renewal of its lock.
func (o *Options) Margin() time.Duration {
	return o.Timescale.Of(lock.TTL) - watchdog.DefaultOptions(o.Timescale).ResetTime()
}

// driftDivisor: clocks of two machines may differ in rate by one part in that many; what a life
// loses by it must fit into the margin.
const driftDivisor = 100

// Check refuses a configuration under which a service could run twice.
func (o *Options) Check() error {
	margin, least := o.Margin(), o.Timescale.Of(lock.TTL)/driftDivisor
	if margin <= least {
		return fmt.Errorf("%w: locks expire after %v and the watchdog may take %v, which leaves %v; more than %v is needed",
			ErrNoMargin, o.Timescale.Of(lock.TTL), watchdog.DefaultOptions(o.Timescale).ResetTime(), margin, least)
	}
	return nil
}

// self is this node's id.
func (o *Options) self() ring.NodeID {
	for _, n := range o.Nodes {
		if n.Name == o.Node {
			return n.ID
		}
	}
	return 0
}
