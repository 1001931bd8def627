package store

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// acknowledgements is the acknowledge stage: it counts what each store of this ring has on disk, and answers
// clients once enough votes do.
type acknowledgements struct {
	*shared
	ops *operations

	// durablePosition is the last message up to which everything is durable here.
	durablePosition uint64
	ackByNode       map[ring.NodeID]ack
	// unconfirmedOps are operations with a result, by position in the order.
	unconfirmedOps []*pendingOperation
}

// reset drops the state of the closed ring.
func (a *acknowledgements) reset() {
	a.durablePosition, a.ackByNode, a.unconfirmedOps = 0, map[ring.NodeID]ack{}, nil
}

// awaitConfirmation holds back the result of an operation until its position in the order is confirmed, as
// judged by the configuration that was in force there.
func (a *acknowledgements) awaitConfirmation(p *pendingOperation, r *Response, at uint64,
	config *state.Config) {
	p.response, p.position, p.configAtPosition = r, at, config
	a.unconfirmedOps = append(a.unconfirmedOps, p)
}

// sendAck informs the ring up to which position everything is durable here. It is called after the
// transaction that made it so.
func (a *acknowledgements) sendAck(position uint64) {
	a.durablePosition = position
	own := ack{Incarnation: a.disk.replica.Incarnation, Position: position, Revision: a.disk.revision()}
	a.ackByNode[a.node()] = own
	if len(a.ring.members) > 1 && a.disk.role() == RoleVoter {
		a.outbox.send(&own)
	}
	a.answerConfirmed()
}

// onAck counts a confirmation. It names the incarnation that gives it, and is only ever sent by a store
// that has installed this epoch; that store's report may come later in the order.
func (a *acknowledgements) onAck(from ring.NodeID, m *ack) {
	if !a.hasConfirmed(from) || m.Position > a.ackByNode[from].Position {
		a.ackByNode[from] = *m
	}
	if from != a.node() && a.ring.installed {
		a.disk.noteConfirmed(state.PeerMark{Node: from, Incarnation: m.Incarnation, Epoch: a.ring.id,
			Revision: m.Revision})
	}
	a.answerConfirmed()
}

// hasConfirmed reports whether a node has confirmed anything, that is, whether it has installed the epoch.
func (a *acknowledgements) hasConfirmed(node ring.NodeID) bool {
	_, ok := a.ackByNode[node]
	return ok
}

// isConfirmed reports whether a position in the order is durable on W votes: of stores that installed this
// epoch, as judged by the configuration that was in force at that position.
func (a *acknowledgements) isConfirmed(c *state.Config, at uint64) bool {
	var votes uint32
	for _, m := range c.Members {
		if own, ok := a.ackByNode[m.Node]; ok && own.Position >= at &&
			!slices.Contains(a.ring.untrusted, m.Node) {
			votes += c.Votes(m.Node, own.Incarnation)
		}
	}
	return votes >= c.AckVotes()
}

// answerConfirmed answers the confirmed operations in order: changes, refusals and reads.
func (a *acknowledgements) answerConfirmed() {
	for len(a.unconfirmedOps) > 0 {
		p := a.unconfirmedOps[0]
		if !a.isConfirmed(p.configAtPosition, p.position) {
			return
		}
		a.unconfirmedOps = a.unconfirmedOps[1:]
		if p.command != nil && env.Buggify(a.env, "store/unknown-outcome") {
			a.ops.answerWithoutResult(p, CodeUnknown, "on request")
			continue
		}
		a.ops.answerOperation(p, p.response)
	}
}
