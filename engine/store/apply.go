package store

import (
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// orderedRequest is a command or a marker at its position in the ring's order.
type orderedRequest struct {
	position uint64
	fromNode ring.NodeID
	command  *state.Command // nil for a marker
	marker   uint64
}

// bytes returns about how much memory the item takes.
func (o *orderedRequest) bytes() int {
	if o.command == nil {
		return 64
	}
	return 256 + len(o.command.Op.Data) + len(o.command.Op.Path) + len(o.command.Op.To)
}

// applier is the apply stage: it carries out what the ring has ordered, in order, and makes it durable
// before anything is confirmed.
type applier struct {
	*shared
	epoch   *epoch
	catchUp *catchUp
	ops     *operations
	acks    *acknowledgements
	watches *watches

	delivered []orderedRequest // delivered, not yet carried out
}

// enqueue takes a delivered command or marker. All that arrive at one instant are applied in one batch.
func (a *applier) enqueue(o orderedRequest) {
	switch {
	case a.ring.decision == nil:
		if o.command != nil && o.command.Replace.Node != 0 {
			replacementDecision{a.epoch}.onRequest(o.command)
		}
		return // ordered before the decision: no member carries it out
	case a.ring.installed:
		a.delivered = append(a.delivered, o)
		a.env.SetTimer(timerFlush, 0)
	case a.catchUp.fetching:
		a.catchUp.deferOrdered(o)
	}
}

// enqueueBacklog takes the messages that were ordered while the state was fetched, without those that the
// state already contains.
func (a *applier) enqueueBacklog(backlog []orderedRequest, position uint64) {
	for _, o := range backlog {
		if o.position > position {
			a.delivered = append(a.delivered, o)
		}
	}
}

// applyDelivered carries out everything that was delivered.
func (a *applier) applyDelivered() {
	for len(a.delivered) > 0 && a.disk.failure == nil {
		n := min(len(a.delivered), env.Limit(a.env, "store/small-batch", maxBatchCommands, 1))
		group := a.delivered[:n]
		a.delivered = a.delivered[n:]
		a.applyGroup(group)
	}
	if len(a.delivered) == 0 {
		a.delivered = nil
	}
}

// applyGroup applies a group in order, makes it durable as one transaction, and only then confirms it to the
// others and to clients.
func (a *applier) applyGroup(group []orderedRequest) {
	var batch state.Batch
	before := a.disk.role()
	for i := range group {
		if o := &group[i]; o.command != nil {
			a.applyCommand(o, &batch)
		} else {
			a.answerReadsAt(o)
		}
	}
	if err := a.disk.commit(&batch); err != nil {
		a.lifecycle.onDiskError(err)
		return
	}
	a.watches.wakeChanged(batch.Log)
	a.acks.sendAck(group[len(group)-1].position)
	if batch.Config != nil {
		a.epoch.noteVoteless(a.epoch.reports)
	}
	if now := a.disk.role(); now != before {
		a.env.Emit(RoleChanged{Role: now, Incarnation: a.disk.replica.Incarnation.String(),
			Revision: a.disk.replica.Revision()})
	}
}

// applyCommand changes the replica. If the command is this node's, its result waits for confirmation.
func (a *applier) applyCommand(o *orderedRequest, batch *state.Batch) {
	config := a.disk.replica.Config
	outcome := a.disk.replica.Apply(o.command, a.epoch.presentAt(o.position), batch)
	if o.fromNode != a.node() {
		return
	}
	if p := a.ops.sentInThisRing(o.command.Request); p != nil {
		a.acks.awaitConfirmation(p, responseTo(p, &outcome), o.position, config)
	}
}

// responseTo is the answer that a change's outcome means.
func responseTo(p *pendingOperation, outcome *state.Outcome) *Response {
	r := &Response{ID: p.request.ID, OK: outcome.Refusal == nil, Revision: outcome.Revision,
		Remembered: outcome.Remembered}
	if f := outcome.Refusal; f != nil {
		r.Code, r.Message, r.Actual = f.Code, f.Message, f.Actual
	}
	return r
}

// answerReadsAt answers this node's reads from the state at their marker's position in the order. The answers
// wait until that position is confirmed.
func (a *applier) answerReadsAt(o *orderedRequest) {
	if o.fromNode != a.node() || o.marker != a.ops.lastMarker {
		return
	}
	for _, p := range a.ops.takeMarkedReads() {
		if !p.isAnswered {
			a.acks.awaitConfirmation(p, answerQuery(a.disk.replica, p.request), o.position,
				a.disk.replica.Config)
		}
	}
	a.ops.sendMarker()
}
