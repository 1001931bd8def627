package pve

import (
	"context"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/hacheck"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/pve/timeline"
)

// Judge implements scenarios.Subject.
func (s *Subject) Judge() scenarios.Judge { return judge{s} }

// judge composes the checks of the engine.
type judge struct{ subject *Subject }

// Watch implements scenarios.Judge.
func (j judge) Watch(s *scenarios.Scenario) scenarios.Watch {
	w := &suiteWatch{storeSuite: storecheck.New(storecheck.Cluster{Machines: s.Machines,
		Nodes: j.subject.nodeIDs(),
		Votes: j.subject.votes(), Others: haspec.IsRequest})}
	if spec := j.subject.spec.HA; spec != nil {
		w.haSuite = hacheck.New(hacheck.Cluster{Machines: s.Machines, Nodes: j.subject.NodeNames(),
			Votes: j.subject.votes(), JoinInterval: j.subject.joinInterval(), Warmup: j.subject.warmup,
			HA: spec})
	}
	return w
}

// DecodeRecord implements scenarios.Judge.
func (judge) DecodeRecord(kind string, data []byte) (env.Record, error) {
	return decodeRecord(kind, data)
}

// Survives implements scenarios.Judge: the votes of machines that are up and reach each other
// must be a quorum.
func (j judge) Survives(d scenarios.Damage) bool { return scenarios.VotesSurvive(d, j.subject.votes()) }

// Timeline implements scenarios.Judge.
func (j judge) Timeline(r *scenarios.Run) scenarios.Timeline {
	var notes []string // configured features that the engine does not have
	for _, l := range j.subject.conf.Unsupported() {
		notes = append(notes, l.String())
	}
	for _, warning := range j.subject.warnings {
		notes = append(notes, warning.Error())
	}
	return timeline.Of(timeline.Cluster{Nodes: j.subject.NodeNames(), IDs: j.subject.nodeIDs(), Notes: notes,
		HA: j.subject.spec.HA}, r)
}

// InTimeline implements scenarios.TimelineFilter.
func (judge) InTimeline(r env.Record) bool { return timeline.Needs(r) }

// suiteWatch observes one run of the engine.
type suiteWatch struct {
	storeSuite *storecheck.Suite
	haSuite    *hacheck.Suite // nil without HA
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

// joinInterval is the time between two joins of a node, as its configuration has it.
func (s *Subject) joinInterval() time.Duration {
	timers, err := corosync.Derive(s.conf)
	if err != nil {
		panic("pve: a configuration that was accepted has no timers: " + err.Error())
	}
	return timers.Join
}

// nodeIDs are the ids of the machines' nodes, in the order of the machines.
func (s *Subject) nodeIDs() []ring.NodeID {
	ids := make([]ring.NodeID, len(s.conf.Nodes))
	for i, n := range s.conf.Nodes {
		ids[i] = n.ID
	}
	return ids
}
