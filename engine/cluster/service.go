package cluster

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
)

// Service is the part of the cluster process that decides about quorum. It takes part in the ring's order
// with messages of its own, which go ahead of those of the clients. A [SyncService] needs none of this;
// votequorum implements Service itself (package node).
type Service interface {
	// Start is called once, before all other methods. The host is valid as long as the service.
	Start(h Host) error
	// Ring starts a new ring. The clients' messages wait until the service calls Announce for it, which
	// it must do at the same position of the order on every member.
	Ring(c totem.Configuration)
	// Deliver takes one of the service's own messages in the ring's order.
	Deliver(id ring.ID, from ring.NodeID, payload []byte)
	// Fired handles the expiry of one of the service's timers.
	Fired(timer uint32)
}

// OperationService is a Service that also takes operations of clients of the process.
type OperationService interface {
	Service
	// Invoked takes an operation; the service answers it with Env.Complete.
	Invoked(ev env.Invoked)
}

// LeavingService is a Service that is informed before the node leaves its ring in order.
type LeavingService interface {
	Service
	// Leaving is called once, while the node is still in its ring. The service may log and record, and must
	// send nothing.
	Leaving()
}

// MaxServiceTimers bounds the timer numbers of a service.
const MaxServiceTimers = 64

// firstServiceTimer is where the service's timer ids begin.
const firstServiceTimer env.TimerID = 1024

// Host is the part of the process that a Service may use.
type Host struct{ process *Process }

// Env returns the process's Env. The service must set timers with SetTimer of this type only.
func (h Host) Env() env.Env { return h.process.env }

// Multicast orders a message of the service on the present ring, ahead of the clients' messages. Messages
// that are not ordered when the ring ends are dropped.
func (h Host) Multicast(payload []byte) {
	h.process.buf = append(append(h.process.buf[:0], kindService), payload...)
	h.process.node.MulticastFirst(h.process.buf)
}

// SetTimer arms one of the service's timers, 0 to MaxServiceTimers-1, as Env.SetTimer does.
func (h Host) SetTimer(timer uint32, after time.Duration) {
	h.process.env.SetTimer(serviceTimer(timer), after)
}

// StopTimer withdraws one of the service's timers.
func (h Host) StopTimer(timer uint32) { h.process.env.StopTimer(serviceTimer(timer)) }

func serviceTimer(timer uint32) env.TimerID {
	if timer >= MaxServiceTimers {
		panic(fmt.Sprintf("cluster: service timer %d of %d", timer, MaxServiceTimers))
	}
	return firstServiceTimer + env.TimerID(timer)
}

// Relayed returns the nodes that this node reaches over a third one only.
func (h Host) Relayed() []Relayed { return relayedBy(h.process) }

// Announce publishes the decision on the present ring to the clients. The first call in a ring also ends
// the ring's sync phase: the clients' messages may be ordered.
func (h Host) Announce(q cpg.Quorum) { h.process.announce(q) }
