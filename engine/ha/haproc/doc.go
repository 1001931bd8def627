// Package haproc runs the HA manager on a node, as the processes crm and lrm. It gives the pure logic of
// engine/ha its environment: files in the replicated store, in Proxmox VE's places and formats, the
// store's locks, the machine's watchdog, and tasks in which resource commands run beside the rounds.
//
// Package haproc never decides anything about services. It adds one rule of its own: the master replaces
// only what it has read.
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
	// Node is this node's name. Nodes are the configured nodes in the order of their ids.
	Node  string
	Nodes []Node
	// Timescale multiplies every time of the HA manager.
	Timescale timescale.Ratio
	// Self is what the node publishes about itself.
	Self Info
	// NewDriver makes the driver of the resources on this node.
	NewDriver DriverMaker
	// StopTimeout is how long a resource has for an orderly stop when the command has no timeout;
	// DefaultStopTimeout when 0.
	StopTimeout time.Duration
	// MoveTimeout ends the attempt to move a running resource; DefaultMoveTimeout when 0.
	MoveTimeout time.Duration
	// IdleFactor multiplies the number of rounds without work after which LRM and CRM go idle; 0 means 1. An
	// idle LRM holds no lock and is not guarded by the watchdog.
	IdleFactor int
}

// DefaultStopTimeout is how long a guest may take to shut down before it is stopped by force.
const DefaultStopTimeout = 60 * time.Second

// ErrNoMargin means that another node could take over services before the watchdog resets this one.
var ErrNoMargin = errors.New("no safety margin")

// Margin is the time between the last instant at which a node's watchdog resets it and the first
// at which another node may take its services, both counted from the last renewal of its lock.
func (o *Options) Margin() time.Duration {
	return o.Timescale.Of(lock.TTL) - watchdog.DefaultOptions(o.Timescale).ResetTime()
}

// driftDivisor bounds the drift of clocks: two machines' clocks may differ in rate by one part in
// driftDivisor. The margin must cover what a lock's TTL loses by that.
const driftDivisor = 100

// Check returns an error for options under which a service could run twice.
func (o *Options) Check() error {
	margin, least := o.Margin(), o.Timescale.Of(lock.TTL)/driftDivisor
	if margin <= least {
		return fmt.Errorf(
			"%w: locks expire after %v and the watchdog may take %v, which leaves %v; more than %v is needed",
			ErrNoMargin, o.Timescale.Of(lock.TTL), watchdog.DefaultOptions(o.Timescale).ResetTime(),
			margin, least)
	}
	return nil
}

// ownID returns this node's id.
func (o *Options) ownID() ring.NodeID {
	for _, n := range o.Nodes {
		if n.Name == o.Node {
			return n.ID
		}
	}
	return 0
}
