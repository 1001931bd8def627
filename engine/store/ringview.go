package store

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

// ringView is what a store knows of the ring that its machine is in. Nothing of it survives a
// change of the ring.
type ringView struct {
	id      ring.ID
	members []ring.NodeID
	// present says that this store has seen the ring's messages from the first one on. A store
	// that started within the ring has not: it stays silent and asks for a new ring.
	present bool
	// fenced says that the ring is over for this store: its transitional configuration was seen.
	fenced    bool
	delivered uint64 // the last message's place in the ring's order

	reports  []*arrived // in the order of their arrival, the first of each node
	waited   bool       // the time to wait for reports is over
	refusal  error      // why no decision could be proposed
	decision *decision
	// decidedAt is the decision's place in the ring's order.
	decidedAt uint64
	// installed says that the epoch and its state are durable here.
	installed bool
	// position is the last message up to which everything is durable here.
	position uint64
	acks     map[ring.NodeID]ack

	fetching     bool
	fetchTries   int
	backlog      []ordered // since backlogFrom, while fetching
	backlogBytes int
	backlogFrom  uint64
	wanted       []want // to be served
}

// onConfig handles a configuration change.
func (s *Store) onConfig(c *cpg.Config) {
	if c.Kind == cpg.Transitional {
		s.fence()
		s.ring.fenced = true
		return
	}
	s.fence()
	s.enterRing(ringView{id: c.Ring, members: slices.Clone(c.Members),
		present: !c.Greeting && s.failed == nil, acks: map[ring.NodeID]ack{}})
	s.log.Info("starting data syncronisation", "ring", c.Ring.String(), "members", c.Members)
	if !s.ring.present {
		s.env.Probe("store/ring-entered-late")
		s.env.SetTimer(timerReform, s.opts.Timers.ReformDelay)
		return
	}
	s.env.StopTimer(timerReform)
	s.sendReport()
}

// fence ends the processing of a ring: what was delivered before is made durable now, so that the
// report tells of it, and nothing that is delivered later counts. It is closed by the transitional
// configuration, because what follows that may have gaps.
func (s *Store) fence() {
	s.flush()
}

// enterRing forgets the old ring and takes up a new one.
func (s *Store) enterRing(next ringView) {
	was := s.writable()
	s.out.clear()
	s.in.clear()
	s.ring = next
	s.stopRingTimers()
	s.reopenOperations()
	s.noteWritable(was)
}

// stopRingTimers stops what was to be done in the ring that is over.
func (s *Store) stopRingTimers() {
	for _, t := range [...]env.TimerID{timerPropose, timerFetch, timerServe} {
		s.env.StopTimer(t)
	}
}

// reform asks for a new ring in which this store takes part from the beginning.
func (s *Store) reform() {
	if s.unheard {
		s.hello()
		return
	}
	if s.ring.present || s.failed != nil {
		return
	}
	s.env.Probe("store/reform-asked")
	s.toCluster(cpg.Reform{})
	s.env.SetTimer(timerReform, s.opts.Timers.ReformRetry)
}

// sendReport tells the ring what is durable here. From now on nothing of an older ring counts.
func (s *Store) sendReport() {
	r := &report{Incarnation: s.replica.Incarnation, Epoch: s.replica.Epoch, Mark: s.replica.Mark(),
		Config: s.replica.Config}
	if r.Config == nil {
		r.Config = s.proposed
	}
	s.out.send(r)
	index, _ := slices.BinarySearch(s.ring.members, s.node())
	s.env.SetTimer(timerPropose, s.opts.Timers.ReportWait+s.proposeAfter(index))
}

func (s *Store) proposeAfter(rank int) time.Duration {
	return time.Duration(rank) * s.opts.Timers.ProposeStep
}

func (s *Store) onReport(at uint64, from ring.NodeID, r *report) {
	if s.ring.reportOf(from) != nil {
		return
	}
	s.ring.reports = append(s.ring.reports, &arrived{report: *r, node: from, at: at})
	if s.ring.decision != nil {
		s.env.Probe("store/report-after-decision")
		return
	}
	if len(s.ring.reports) == len(s.ring.members) {
		s.log.Info("received all states")
		s.ring.waited = true
	}
	if s.ring.waited {
		rank, _ := slices.BinarySearch(nodesOf(s.ring.reports), s.node())
		if rank == 0 {
			s.propose()
			return
		}
		s.env.SetTimer(timerPropose, s.proposeAfter(rank))
	}
}

func (v *ringView) exchange() *exchange {
	return &exchange{epoch: v.id, members: v.members, reports: v.reports}
}

func (v *ringView) reportOf(node ring.NodeID) *arrived {
	for _, r := range v.reports {
		if r.node == node {
			return r
		}
	}
	return nil
}

// propose puts the decision that follows from the reports so far into the order. Any member may;
// the lowest reporter does so first. The first valid one counts.
func (s *Store) propose() {
	if s.ring.decision != nil || !s.ring.present {
		return
	}
	if len(s.ring.reports) < len(s.ring.members) {
		s.env.Probe("store/proposed-without-silent-member")
	}
	s.ring.waited = true
	d, err := s.ring.exchange().conclude()
	if err != nil {
		s.ring.refusal = err
		s.log.Warn("no decision", "reason", err, "ring", s.ring.id.String())
		if errors.Is(err, errTwoClusters) {
			s.env.Probe("store/two-clusters")
		}
		s.refuseUnsent()
		return
	}
	s.ring.refusal = nil
	s.out.send(&d.decide)
}

// onDecide takes the ring's first valid decision. Every member judges it by the reports that
// precede it, so all come to the same verdict.
func (s *Store) onDecide(at uint64, d *decide) {
	if s.ring.decision != nil {
		return
	}
	valid, err := s.ring.exchange().verify(d)
	if err != nil {
		s.log.Error("decision refused", "reason", err)
		return
	}
	s.adopt(at, valid)
}

// adopt makes a decision the ring's.
func (s *Store) adopt(at uint64, d *decision) {
	s.ring.decision, s.ring.decidedAt, s.ring.backlogFrom = d, at, at
	s.env.StopTimer(timerPropose)
	s.log.Info("leader is", "node", d.Source, "members", d.Members, "revision", d.Mark.Revision)
	if s.hasDecidedState(d) {
		s.installSame(d)
		return
	}
	if s.isStranger(d) {
		s.log.Error("critical: this store belongs to another cluster and keeps its data")
		s.env.Probe("store/stranger")
		return
	}
	s.log.Info("waiting for updates from leader")
	s.ring.fetching = true
	s.sendFetch()
}

// isStranger says that this store votes in a cluster with another beginning.
func (s *Store) isStranger(d *decision) bool {
	c := s.replica.Config
	return c != nil && c.Genesis != d.config.Genesis && c.IsVoter(s.node(), s.replica.Incarnation)
}

// hasDecidedState says that this replica's state is the one that the epoch starts from.
func (s *Store) hasDecidedState(d *decision) bool {
	if s.replica.Mark() != d.Mark {
		return false
	}
	return s.replica.Config == nil || s.replica.Config.Equal(d.config)
}

// installSame installs an epoch whose state is already here.
func (s *Store) installSame(d *decision) {
	inst := &state.Installation{Epoch: s.ring.id}
	if s.replica.Config == nil {
		inst.Config = d.config
	}
	if err := s.backend.Install(inst); err != nil {
		s.fail(err)
		return
	}
	s.replica.Epoch, s.replica.Config = s.ring.id, d.config
	s.onInstalled(s.ring.decidedAt, "same", nil)
}

// onInstalled begins to take part in the epoch, from a place in the order on.
func (s *Store) onInstalled(position uint64, how string, received []state.LogEntry) {
	was := s.writable()
	v := &s.ring
	v.installed, v.fetching, v.position = true, false, position
	s.env.StopTimer(timerFetch)
	s.env.Emit(Installed{Epoch: v.id, Members: v.decision.Members, Source: v.decision.Source,
		Revision: s.replica.Revision(), Chain: hexOf(s.replica.Log.Chain()),
		Tree: hexOf(s.replica.Tree.Digest().Bytes()), How: how, Role: s.role(),
		Received: recordsOf(received)})
	s.log.Info("all data is up to date", "revision", s.replica.Revision(), "role", s.role(), "how", how)
	for _, o := range v.backlog {
		if o.at > position {
			s.queue = append(s.queue, o)
		}
	}
	v.backlog, v.backlogBytes = nil, 0
	s.wakeAll()
	s.acknowledge()
	s.flush()
	if s.failed == nil {
		s.noteWritable(was)
		s.resumeOperations()
	}
}

// role is what this store's incarnation is in its configuration.
func (s *Store) role() Role {
	switch {
	case s.replica == nil || s.replica.Config == nil:
		return RoleUninitialized
	case s.replica.Config.IsVoter(s.node(), s.replica.Incarnation):
		return RoleVoter
	}
	return RoleLearner
}

// writable says that changes are taken and can be acknowledged in this ring.
func (s *Store) writable() bool { return s.ring.present && s.ring.installed && s.failed == nil }

func (s *Store) noteWritable(was bool) {
	now := s.writable()
	if now == was {
		return
	}
	if now {
		s.log.Info("node has quorum")
	} else {
		s.log.Info("node lost quorum")
	}
	s.env.Emit(Writable{Ring: s.ring.id, Members: s.ring.members, Writable: now})
}
