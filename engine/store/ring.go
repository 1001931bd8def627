package store

import (
	"errors"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// onConfig handles a configuration change of the ring.
func (s *Store) onConfig(c *cpg.Config) {
	if c.Kind == cpg.Transitional {
		s.closeRing()
		s.ring.isClosed = true
		return
	}
	s.closeRing()
	s.enterRing(ringState{id: c.Ring, members: slices.Clone(c.Members),
		seenFromStart: !c.Greeting && s.disk.failure == nil})
	s.log.Info("starting data syncronisation", "ring", c.Ring.String(), "members", c.Members)
	if !s.ring.seenFromStart {
		s.env.Probe("store/ring-entered-late")
		s.env.SetTimer(timerReform, s.opts.Timers.ReformDelay)
		return
	}
	s.env.StopTimer(timerReform)
	s.epoch.sendReport()
}

// closeRing ends the processing of a ring: it makes all earlier deliveries durable, so that the report
// contains them, and later deliveries of the ring are dropped.
//
// The ring is closed by its transitional configuration, not by the next regular one, because the deliveries
// in between may have gaps. Example: nodes 1, 2 and 3 are in ring 4, at revision 10. Message 7, a change,
// reached node 3 only; message 8, another change, reached all. The link to node 3 fails. After their
// transitional configuration, Totem delivers 8 without 7 to nodes 1 and 2, and 7 and then 8 to node 3. If
// stores applied these, revision 11 of epoch 4 would be one change on nodes 1 and 2 and another on node 3.
func (s *Store) closeRing() {
	s.applier.applyDelivered()
}

// onClusterDown leaves the ring: without the cluster process there is none.
func (s *Store) onClusterDown() {
	s.closeRing()
	s.enterRing(ringState{})
	s.quorumLog.logChange(s.log, false, errors.New("the cluster process has ended"))
	s.cluster.onClusterEnded()
}

// enterRing forgets the old ring and starts with a new one.
func (s *Store) enterRing(next ringState) {
	was := s.writable()
	s.outbox.clear()
	s.reassembly.dropAll()
	s.replaceRing(next)
	s.ops.reopenUnanswered()
	s.noteWritable(was)
}

// replaceRing drops everything that the stages know of the old ring, and its timers.
func (s *Store) replaceRing(next ringState) {
	s.ring = next
	s.epoch.reset()
	s.catchUp.reset()
	s.acks.reset()
	for _, t := range [...]env.TimerID{timerPropose, timerFetch, timerServe} {
		s.env.StopTimer(t)
	}
}

// onUndecided implements lifecycle.
func (s *Store) onUndecided() {
	s.quorumLog.logChange(s.log, false, s.epoch.noDecisionReason)
	replacementDecision{&s.epoch}.noteUndecided()
	s.ops.offerReplacements()
	s.ops.refuseUnsent()
}

// onInstalled implements lifecycle: the store takes part in the epoch from a position in the order on.
func (s *Store) onInstalled(position uint64, how string, received []state.LogEntry) {
	was := s.writable()
	s.ring.installed = true
	s.acks.durablePosition = position
	backlog := s.catchUp.endFetch()
	replica, decision := s.disk.replica, s.ring.decision
	s.env.Emit(Installed{Epoch: s.ring.id, Members: decision.Members, Source: decision.Source,
		Replaced: decision.replacedNode(),
		Revision: replica.Revision(), Chain: shortHex(replica.Log.Chain()),
		Tree: shortHex(replica.Tree.Digest().Bytes()), How: how, Role: s.disk.role(),
		Received: recordsOf(received)})
	s.epoch.noteVoteless(s.epoch.reports)
	s.log.Info("all data is up to date", "revision", replica.Revision(), "role", s.disk.role(), "how", how)
	s.applier.enqueueBacklog(backlog, position)
	s.watches.wakeAll()
	s.acks.sendAck(position)
	s.applier.applyDelivered()
	if s.disk.failure == nil {
		s.noteWritable(was)
		if s.writable() {
			s.ops.sendAllInOrder()
		}
	}
}

// noteWritable records a change of writable.
func (s *Store) noteWritable(was bool) {
	now := s.writable()
	if now == was {
		return
	}
	if now {
		s.quorumLog.logChange(s.log, true, nil)
	}
	s.env.Emit(Writable{Ring: s.ring.id, Members: s.ring.members, Writable: now})
}

// cluster is the cluster process of this machine, as a source of rings.
type cluster struct {
	*shared
	// helloPending reports that the cluster process runs and could not be asked to deliver yet.
	helloPending bool
}

// sendHello asks the cluster process to deliver from now on.
func (c *cluster) sendHello() {
	if c.helloPending = !c.toCluster(cpg.Hello{}); c.helloPending {
		c.env.SetTimer(timerReform, c.opts.Timers.ReformDelay)
	}
}

// requestReform asks for a new ring in which this store takes part from the start.
func (c *cluster) requestReform() {
	if c.helloPending {
		c.sendHello()
		return
	}
	if c.ring.seenFromStart || c.disk.failure != nil {
		return
	}
	c.env.Probe("store/reform-asked")
	c.toCluster(cpg.Reform{})
	c.env.SetTimer(timerReform, c.opts.Timers.ReformRetry)
}

// onClusterEnded notes that the cluster process has ended.
func (c *cluster) onClusterEnded() {
	c.helloPending = false
	c.env.StopTimer(timerReform)
}
