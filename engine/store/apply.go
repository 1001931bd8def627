package store

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// ordered is a command or a marker at its position in the ring's order.
type ordered struct {
	at     uint64
	from   ring.NodeID
	cmd    *state.Command // nil for a marker
	marker uint64
}

// bytes returns about how much memory the item takes.
func (o *ordered) bytes() int {
	if o.cmd == nil {
		return 64
	}
	return 256 + len(o.cmd.Op.Data) + len(o.cmd.Op.Path) + len(o.cmd.Op.To)
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

	queue []ordered // delivered, not yet carried out
}

// enqueue takes a delivered command or marker. All that arrive at one instant are applied in one batch.
func (a *applier) enqueue(o ordered) {
	switch {
	case a.ring.decision == nil:
		return // ordered before the decision: no member carries it out
	case a.ring.installed:
		a.queue = append(a.queue, o)
		a.env.SetTimer(timerFlush, 0)
	case a.catchUp.fetching:
		a.catchUp.deferOrdered(o)
	}
}

// enqueueBacklog takes the messages that were ordered while the state was fetched, without those that the
// state already contains.
func (a *applier) enqueueBacklog(backlog []ordered, position uint64) {
	for _, o := range backlog {
		if o.at > position {
			a.queue = append(a.queue, o)
		}
	}
}

// flush carries out everything that was delivered.
func (a *applier) flush() {
	for len(a.queue) > 0 && a.disk.failed == nil {
		n := min(len(a.queue), maxBatchCommands)
		group := a.queue[:n]
		a.queue = a.queue[n:]
		a.carryOut(group)
	}
	if len(a.queue) == 0 {
		a.queue = nil
	}
}

// carryOut applies a group in order, makes it durable as one transaction, and only then confirms it to the
// others and to clients.
func (a *applier) carryOut(group []ordered) {
	var batch state.Batch
	before := a.disk.role()
	for i := range group {
		if o := &group[i]; o.cmd != nil {
			a.applyCommand(o, &batch)
		} else {
			a.readAt(o)
		}
	}
	if err := a.disk.commit(&batch); err != nil {
		a.lifecycle.fail(err)
		return
	}
	a.watches.wake(batch.Log)
	a.acks.confirm(group[len(group)-1].at)
	if now := a.disk.role(); now != before {
		a.env.Emit(RoleChanged{Role: now, Incarnation: a.disk.replica.Incarnation.String(),
			Revision: a.disk.replica.Revision()})
	}
}

// applyCommand changes the replica. If the command is this node's, its result waits for confirmation.
func (a *applier) applyCommand(o *ordered, batch *state.Batch) {
	config := a.disk.replica.Config
	outcome := a.disk.replica.Apply(o.cmd, a.epoch.presentAt(o.at), batch)
	if o.from != a.node() {
		return
	}
	if p := a.ops.sentHere(o.cmd.Request); p != nil {
		a.acks.await(p, responseTo(p, &outcome), o.at, config)
	}
}

// responseTo is the answer that a change's outcome means.
func responseTo(p *pending, outcome *state.Outcome) *Response {
	r := &Response{ID: p.req.ID, OK: outcome.Refusal == nil, Revision: outcome.Revision,
		Remembered: outcome.Remembered}
	if f := outcome.Refusal; f != nil {
		r.Code, r.Message, r.Actual = f.Code, f.Message, f.Actual
	}
	return r
}

// readAt answers this node's reads from the state at their marker's position in the order. The answers wait
// until that position is confirmed.
func (a *applier) readAt(o *ordered) {
	if o.from != a.node() || o.marker != a.ops.marker {
		return
	}
	for _, p := range a.ops.takeMarked() {
		if !p.done {
			a.acks.await(p, query(a.disk.replica, p.req), o.at, a.disk.replica.Config)
		}
	}
	a.ops.sendMarker()
}
