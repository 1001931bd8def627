package pve

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/hacheck"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/pve/timeline"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Judge implements scenarios.Subject.
func (s *Subject) Judge() scenarios.Judge { return judge{s} }

// judge composes the checks of the engine.
type judge struct{ subject *Subject }

// Watch implements scenarios.Judge.
func (j judge) Watch(s *scenarios.Scenario) scenarios.Watch {
	timers := j.subject.ringTimers()
	w := &suiteWatch{storeSuite: storecheck.New(storecheck.Cluster{Machines: s.Machines,
		Nodes: j.subject.nodeIDs(), Votes: j.subject.votes(), ExpectedVotes: j.subject.expectedVotes(),
		JoinInterval: timers.Join, Token: timers.Token, Consensus: timers.Consensus,
		Relays:  j.subject.conf.Totem.Relays(),
		LogKeep: j.subject.spec.LogKeep, Watches: s.Workload.Mix[workload.Watch] > 0,
		Others: haspec.IsRequest})}
	if j.subject.spec.HA != nil {
		w.haSuite = hacheck.New(j.subject.haCluster(s))
	}
	if s.Workload.UsesLocks() {
		w.lockSuite = check.NewWatch(check.OfRun, check.Locks(), check.LockWaits())
	}
	return w
}

// haCluster is what the checks of the HA manager must know.
func (s *Subject) haCluster(of *scenarios.Scenario) hacheck.Cluster {
	timers := s.ringTimers()
	return hacheck.Cluster{Machines: of.Machines, Nodes: s.NodeNames(), Votes: s.votes(),
		ExpectedVotes: s.expectedVotes(), JoinInterval: timers.Join, RingDelay: ringDelay(timers),
		Relays: s.conf.Totem.Relays(),
		Warmup: s.warmup, HA: s.spec.HA}
}

// ExcusedTime measures for how much of a run the judge of the HA manager excuses machines. It is zero for a
// run of another subject, or without the HA manager.
func ExcusedTime(r *scenarios.Run) check.ExcusedTime {
	s, is := r.Subject.(*Subject)
	if !is || s.spec.HA == nil {
		return check.ExcusedTime{}
	}
	return hacheck.ExcusedTimeOf(s.haCluster(r.Scenario), r)
}

// DecodeRecord implements scenarios.Judge.
func (judge) DecodeRecord(kind string, data []byte) (env.Record, error) {
	return decodeRecord(kind, data)
}

// Survives implements scenarios.Judge: the votes of machines that are up and reach each other
// must be a quorum. Votes that are expected and that no machine has are those of a machine that is never up.
func (j judge) Survives(d scenarios.Damage) bool {
	votes := j.subject.votes()
	if missing := j.subject.expectedVotes() - j.subject.conf.NodeVotes(); missing > 0 {
		never := env.MachineID(d.Machines)
		d.Machines, d.Down = d.Machines+1, append(slices.Clone(d.Down), never)
		votes = append(votes, missing)
	}
	return scenarios.VotesSurvive(d, votes)
}

// Served implements scenarios.ServedJudge, by the model of the store.
func (judge) Served(op *history.Operation) bool {
	return storecheck.Served(op)
}

// Timeline implements scenarios.Judge.
func (j judge) Timeline(r *scenarios.Run) scenarios.Timeline {
	var notes []string // configured features that the engine does not have
	for _, warning := range j.subject.warnings {
		notes = append(notes, warning.Error())
	}
	t := timeline.Of(timeline.Cluster{Nodes: j.subject.NodeNames(), IDs: j.subject.nodeIDs(), Notes: notes,
		HA: j.subject.spec.HA}, r)
	t.NotCarriedOut = j.subject.NotCarriedOut()
	return t
}

// NotCarriedOut implements scenarios.PartialSubject. The verdict depends on the settings of membership and
// quorum.
func (s *Subject) NotCarriedOut() []scenarios.NotCarriedOut {
	var list []scenarios.NotCarriedOut
	for _, l := range s.conf.Unsupported() {
		list = append(list, scenarios.NotCarriedOut{Setting: l.Option, Line: l.Line, Effect: l.Effect,
			File: filepath.Base(s.conf.File), Minor: l.Minor})
	}
	return list
}

// InTimeline implements scenarios.TimelineFilter.
func (judge) InTimeline(r env.Record) bool { return timeline.Needs(r) }

// suiteWatch observes one run of the engine.
type suiteWatch struct {
	storeSuite *storecheck.Suite
	haSuite    *hacheck.Suite               // nil without HA
	lockSuite  *check.Watch[*scenarios.Run] // nil unless clients use locks
}

// Record implements scenarios.Watch.
func (w *suiteWatch) Record(r scenarios.Stamped) error {
	w.storeSuite.Observe(r)
	if w.haSuite != nil {
		w.haSuite.Observe(r)
	}
	return nil
}

// Check implements scenarios.Watch.
func (w *suiteWatch) Check(ctx context.Context, r *scenarios.Run) []linearizability.Verdict {
	verdicts := w.storeSuite.Check(ctx, r)
	if w.lockSuite != nil {
		verdicts = append(verdicts, w.lockSuite.Check(ctx, r)...)
	}
	if w.haSuite == nil {
		return verdicts
	}
	witness, err := w.storeSuite.Log.Witness()
	return append(verdicts, w.haSuite.Check(ctx, r, witness, err)...)
}

// votes are those of the nodes, by machine.
func (s *Subject) votes() []uint32 {
	votes := make([]uint32, len(s.conf.Nodes))
	for i, n := range s.conf.Nodes {
		votes[i] = n.Votes()
	}
	return votes
}

// expectedVotes is what votequorum expects: at least the votes of all nodes.
func (s *Subject) expectedVotes() uint32 {
	if d := s.conf.Quorum.Device; d != nil && d.Model != "" {
		return s.conf.NodeVotes() // the device has no vote here
	}
	return max(s.conf.NodeVotes(), s.conf.ExpectedVotes())
}

// ringTimers returns the timers of the ring, as the configuration has them.
func (s *Subject) ringTimers() corosync.Timers {
	timers, err := corosync.DeriveTimers(s.conf)
	if err != nil {
		panic("pve: a configuration that was accepted has no timers: " + err.Error())
	}
	return timers
}

// usualRing is how long a ring of a few nodes takes to notice a silent node and to agree without it, with
// the settings that a configuration has unless it gives others.
const usualRing = 10 * time.Second

// ringDelay returns how much longer than usual a ring takes to go on without a silent node: its links are
// down after the token timeout and two probes, of which there are eight in a token timeout.
func ringDelay(t corosync.Timers) time.Duration { return max(t.Token*5/4-usualRing, 0) }

// nodeIDs are the ids of the machines' nodes, in the order of the machines.
func (s *Subject) nodeIDs() []ring.NodeID {
	ids := make([]ring.NodeID, len(s.conf.Nodes))
	for i, n := range s.conf.Nodes {
		ids[i] = n.ID
	}
	return ids
}
