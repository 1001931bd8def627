package store

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// epoch is the decide stage: at the start of a ring its members exchange what they have on disk and agree,
// in the ring's order, on which stores take part and from which state the epoch starts. decision.go has the
// rule.
type epoch struct {
	*shared
	catchUp        *catchUp
	proposedConfig *state.Config // what this node would start a cluster with

	reports          []*orderedReport // in the order of their arrival, the first of each node
	replacements     []*state.Command // ordered before the decision, in the order of their arrival
	waitIsOver       bool             // the time to wait for reports is over
	noDecisionReason error            // why no decision could be proposed
	waitsForVotes    bool             // a decision is proposed as soon as votequorum has quorum
	// decidedAt is the decision's position in the ring's order.
	decidedAt uint64
}

// reset drops the state of the closed ring.
func (e *epoch) reset() {
	e.reports, e.waitIsOver, e.noDecisionReason, e.decidedAt = nil, false, nil, 0
	e.waitsForVotes, e.replacements = false, nil
}

// sendReport sends this store's durable state to the ring. After it, messages of older rings are ignored.
func (e *epoch) sendReport() {
	replica := e.disk.replica
	r := &report{Incarnation: replica.Incarnation, Epoch: replica.Epoch, Mark: replica.Mark(),
		Config: replica.Config, Peers: slices.Clone(replica.Memory.Peers)}
	if r.Config == nil {
		r.Config = e.proposedConfig
	}
	e.outbox.send(r)
	index, _ := slices.BinarySearch(e.ring.members, e.node())
	wait := env.Limit(e.env, "store/eager-proposal", e.opts.Timers.ReportWait, 0)
	e.env.SetTimer(timerPropose, wait+e.proposeAfter(index))
}

func (e *epoch) proposeAfter(rank int) time.Duration {
	return time.Duration(rank) * e.opts.Timers.ProposeStep
}

// onReport takes another member's report. A node's first report counts.
func (e *epoch) onReport(at uint64, from ring.NodeID, r *report) {
	if e.reportOf(from) != nil {
		return
	}
	e.reports = append(e.reports, &orderedReport{report: *r, node: from, position: at})
	if !e.distrustWentBack() {
		return
	}
	if e.ring.decision != nil {
		e.env.Probe("store/report-after-decision")
		e.noteVoteless(e.reports[len(e.reports)-1:])
		return
	}
	if len(e.reports) == len(e.ring.members) {
		e.log.Info("received all states")
		e.waitIsOver = true
	}
	if e.waitIsOver {
		e.proposeInTurn()
	}
}

// proposeInTurn proposes a decision: the lowest reporter at once, the others only if that one stays silent.
func (e *epoch) proposeInTurn() {
	rank, _ := slices.BinarySearch(nodesOf(e.reports), e.node())
	if rank == 0 || env.Buggify(e.env, "store/propose-out-of-turn") {
		e.sendDecide()
		return
	}
	e.env.SetTimer(timerPropose, e.proposeAfter(rank))
}

func (e *epoch) exchange() *reportExchange {
	return &reportExchange{epoch: e.ring.id, members: e.ring.members, reports: e.reports,
		replacements: e.replacements}
}

func (e *epoch) reportOf(node ring.NodeID) *orderedReport { return e.exchange().reportOf(node) }

// presentAt returns which incarnations had reported before a position in the order: all members that come
// to that position agree on it.
func (e *epoch) presentAt(at uint64) state.Present {
	return func(node ring.NodeID) state.Incarnation {
		if r := e.reportOf(node); r != nil && r.position < at {
			return r.Incarnation
		}
		return state.Incarnation{}
	}
}

// sendDecide puts the decision that follows from the reports so far into the order. Any member may; the
// lowest reporter does so first. The first valid one counts.
func (e *epoch) sendDecide() {
	if e.ring.decision != nil || !e.ring.seenFromStart {
		return
	}
	if len(e.reports) < len(e.ring.members) {
		e.env.Probe("store/proposed-without-silent-member")
	}
	e.waitIsOver = true
	if e.waitsForVotes = e.votesReason() != nil; e.waitsForVotes && e.ring.votes == nil {
		return
	}
	d, err := e.exchange().concludeDecision()
	if reason := e.votesReason(); reason != nil {
		err = reason
	}
	if err != nil {
		e.noDecisionReason = err
		e.log.Warn("no decision", "reason", err, "ring", e.ring.id.String())
		if errors.Is(err, errTwoClusters) {
			e.env.Probe("store/two-clusters")
		}
		e.lifecycle.onUndecided()
		return
	}
	e.noDecisionReason = nil
	e.outbox.send(&d.decide)
}

// onDecide takes the ring's first valid decision. Every member verifies it against the reports that precede
// it in the order, so all come to the same conclusion.
func (e *epoch) onDecide(at uint64, d *decide) {
	if e.ring.decision != nil {
		return
	}
	valid, err := e.exchange().verifyDecide(d)
	if err != nil {
		e.log.Error("decision refused", "reason", err)
		if errors.Is(err, errWentBack) { // a report that came before it has changed what follows
			e.env.SetTimer(timerPropose, e.proposeAfter(1))
		}
		return
	}
	e.adoptDecision(at, valid)
}

// distrustWentBack looks for stores whose disks were put back to an older state. It returns false if this
// store is one of them, which ends its part in the ring.
func (e *epoch) distrustWentBack() bool {
	x := e.exchange()
	for _, r := range e.reports {
		confirmed := x.wentBack(r)
		inX := e.ring.decision != nil && slices.Contains(e.ring.decision.Members, r.node)
		if confirmed == nil || inX || slices.Contains(e.ring.untrusted, r.node) {
			continue
		}
		e.ring.untrusted = append(e.ring.untrusted, r.node)
		e.log.Error("critical: a disk was put back to an older state, and its store has no vote until "+
			"holdfastd replace-member is run", "node", r.node, "confirmed", confirmed.Revision,
			"has", r.Mark.Revision)
		if r.node == e.node() {
			e.lifecycle.onWentBack(confirmed)
			return false
		}
	}
	return true
}

// noteVoteless remembers which of the reporting nodes run a store without a vote, and since when.
func (e *epoch) noteVoteless(reports []*orderedReport) {
	config := e.disk.replica.Config
	if config == nil || !config.Initialized() {
		return
	}
	for _, r := range reports {
		m, without := config.Member(r.node), state.Incarnation{}
		if m == nil {
			continue
		}
		if m.Incarnation != r.Incarnation || slices.Contains(e.ring.untrusted, r.node) {
			without = r.Incarnation
		}
		if !e.disk.replica.Memory.SetVoteless(r.node, without, e.env.Wall().UnixMilli()) {
			continue
		}
		e.disk.noteMemory()
		if !without.IsZero() {
			e.log.Warn("a node has no vote in the store: its disk is new, or was put back to an older "+
				"state; run holdfastd replace-member", "node", r.node, "incarnation", without.String())
		}
	}
}

// adoptDecision makes a decision the ring's.
func (e *epoch) adoptDecision(at uint64, d *decision) {
	e.ring.decision, e.decidedAt = d, at
	e.env.StopTimer(timerPropose)
	e.log.Info("leader is", "node", d.Source, "members", d.Members, "revision", d.Mark.Revision)
	if e.hasDecidedState(d) {
		e.installSame(d)
		return
	}
	if e.isForeign(d) {
		e.log.Error("critical: this store belongs to another cluster and keeps its data")
		e.env.Probe("store/stranger")
		return
	}
	e.log.Info("waiting for updates from leader")
	e.catchUp.startFetch(at)
}

// isForeign reports whether this store votes in a cluster with another genesis.
func (e *epoch) isForeign(d *decision) bool {
	c := e.disk.replica.Config
	return c != nil && c.Genesis != d.config.Genesis && c.IsVoter(e.node(), e.disk.replica.Incarnation)
}

// hasDecidedState reports whether the epoch starts from the state that this replica already has.
func (e *epoch) hasDecidedState(d *decision) bool {
	if e.disk.replica.Mark() != d.Mark {
		return false
	}
	return e.disk.replica.Config == nil || e.disk.replica.Config.Equal(d.config)
}

// installSame installs an epoch whose state is already here. The epoch is made durable although no content
// changes, because the next decision picks its source by it. Example: nodes 1, 2 and 3 are at revision 10 of
// epoch 4. Node 3 applies two more changes that reach no other node: revision 12, not confirmed. Nodes
// 1 and 2 form ring 8, start from revision 10 and acknowledge a change as their revision 11. In the next
// ring with node 3, epoch 8 on disk is what lets revision 11, acknowledged, win over revision 12 of epoch 4.
func (e *epoch) installSame(d *decision) {
	replica, inst := e.disk.replica, &state.Installation{Epoch: e.ring.id}
	if replica.Config == nil {
		inst.Config = d.config
	}
	replica.Epoch, replica.Config = e.ring.id, d.config
	if d.replacement != nil {
		var batch state.Batch
		replica.Replace(d.replacement, &batch)
		inst.Config, inst.Log, inst.Floor = batch.Config, batch.Log, batch.Floor
	}
	if err := e.disk.install(inst); err != nil {
		e.lifecycle.onDiskError(err)
		return
	}
	e.lifecycle.onInstalled(e.decidedAt, "same", inst.Log)
}

// cannotAcknowledge reports whether this ring can acknowledge no change, because its members, or the members
// that reported, lack the votes.
func (e *epoch) cannotAcknowledge() bool {
	if e.writable() || e.ring.decision != nil && e.votesReason() == nil {
		return false
	}
	if errors.Is(e.votesReason(), errVotesTooLow) {
		return true
	}
	if e.waitIsOver && e.noDecisionReason != nil {
		return true
	}
	c := e.disk.replica.Config
	if c == nil || !e.ring.seenFromStart {
		return false
	}
	var votes uint32
	for _, n := range e.ring.members {
		if m := c.Member(n); m != nil {
			votes += m.Votes
		}
	}
	return votes < c.Quorum()
}
