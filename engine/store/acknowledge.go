package store

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// acknowledgements is the acknowledge stage: it counts what each store of this ring has on disk, and answers
// clients once enough votes do.
type acknowledgements struct {
	*shared
	ops *operations

	// position is the last message up to which everything is durable here.
	position uint64
	byNode   map[ring.NodeID]ack
	// unconfirmed are operations with a result, by position in the order.
	unconfirmed []*pending
}

// reset drops the state of the closed ring.
func (a *acknowledgements) reset() {
	a.position, a.byNode, a.unconfirmed = 0, map[ring.NodeID]ack{}, nil
}

// await holds back the result of an operation until its position in the order is confirmed, as judged by
// the configuration that was in force there.
func (a *acknowledgements) await(p *pending, r *Response, at uint64, config *state.Config) {
	p.response, p.at, p.config = r, at, config
	a.unconfirmed = append(a.unconfirmed, p)
}

// confirm informs the ring up to which position everything is durable here. It is called after the
// transaction that made it so.
func (a *acknowledgements) confirm(position uint64) {
	a.position = position
	own := ack{Incarnation: a.disk.replica.Incarnation, Position: position}
	a.byNode[a.node()] = own
	if len(a.ring.members) > 1 && a.disk.role() == RoleVoter {
		a.out.send(&own)
	}
	a.advance()
}

// onAck counts a confirmation. It names the incarnation that gives it, and is only ever sent by a store
// that has installed this epoch; that store's report may come later in the order.
func (a *acknowledgements) onAck(from ring.NodeID, m *ack) {
	if !a.hasConfirmed(from) || m.Position > a.byNode[from].Position {
		a.byNode[from] = *m
	}
	a.advance()
}

// hasConfirmed reports whether a node has confirmed anything, that is, whether it has installed the epoch.
func (a *acknowledgements) hasConfirmed(node ring.NodeID) bool {
	_, ok := a.byNode[node]
	return ok
}

// confirmed reports whether a position in the order is durable on W votes: of stores that installed this
// epoch, as judged by the configuration that was in force at that position.
func (a *acknowledgements) confirmed(c *state.Config, at uint64) bool {
	var votes uint32
	for _, m := range c.Members {
		if own, ok := a.byNode[m.Node]; ok && own.Position >= at {
			votes += c.Votes(m.Node, own.Incarnation)
		}
	}
	return votes >= c.AckVotes()
}

// advance answers the confirmed operations in order: changes, refusals and reads.
func (a *acknowledgements) advance() {
	for len(a.unconfirmed) > 0 {
		p := a.unconfirmed[0]
		if !a.confirmed(p.config, p.at) {
			return
		}
		a.unconfirmed = a.unconfirmed[1:]
		a.ops.answer(p, p.response)
	}
}
