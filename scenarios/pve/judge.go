package pve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/engine/totem/evs"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Judge implements scenarios.Subject.
func (s *Subject) Judge() scenarios.Judge { return judge{s} }

type judge struct{ subject *Subject }

// Watch implements scenarios.Judge.
func (j judge) Watch(s *scenarios.Scenario) scenarios.Watch {
	w := &watch{subject: j.subject, scenario: s, evs: evs.New(), epochs: newEpochs(j.subject, s.Machines),
		rings: map[ring.ID][]ring.NodeID{}, now: make([]ring.ID, len(s.Machines))}
	if j.subject.spec.HA != nil {
		w.ha = newHAWatch(j.subject, s)
	}
	return w
}

// DecodeRecord implements scenarios.Judge.
func (judge) DecodeRecord(kind string, data []byte) (env.Record, error) {
	return decodeRecord(kind, data)
}

// Survives implements scenarios.Judge: the votes of machines that are up and reach each other
// must be a quorum.
func (j judge) Survives(d scenarios.Damage) bool {
	votes := make([]uint32, len(j.subject.conf.Nodes))
	for i := range votes {
		votes[i] = j.subject.conf.Nodes[i].Votes()
	}
	return scenarios.VotesSurvive(d, votes)
}

// watch observes one run of the engine.
type watch struct {
	subject  *Subject
	scenario *scenarios.Scenario
	evs      *evs.Checker
	epochs   *epochs
	witness  []history.WitnessEntry

	rings map[ring.ID][]ring.NodeID // quorate rings and their members
	order []ring.ID                 // quorate rings as they came
	now   []ring.ID                 // the quorate ring of each machine; zero if there is none
	split *linearizability.Violation
	ha    *haWatch // nil without HA
}

// Record implements scenarios.Watch.
func (w *watch) Record(r scenarios.Stamped) error {
	w.evs.Observe(r.Machine, r.Record)
	w.epochs.record(r)
	if w.ha != nil {
		w.ha.record(r)
	}
	switch rec := r.Record.(type) {
	case node.QuorumView:
		w.quorum(r, rec)
	case store.Applied:
		w.applied(r, &rec)
	case store.Installed:
		w.witness = append(w.witness, history.WitnessEntry{Kind: history.WitnessInstall, Rev: rec.Revision,
			Keep: keep(rec), Epoch: w.epoch(rec.Epoch), Chain: rec.Chain,
			Node: w.scenario.Machines[r.Machine], Time: int64(r.At)})
		for i := range rec.Received {
			w.applied(r, &rec.Received[i])
		}
	}
	return nil
}

// byProcess says whether a request came from a process of a machine: the HA manager's and the
// operator's, which keep to files of their own.
func byProcess(request string) bool { return strings.Contains(request, "/") }

// applied notes what a machine has on disk.
func (w *watch) applied(r scenarios.Stamped, a *store.Applied) {
	w.witness = append(w.witness, history.WitnessEntry{Rev: a.Revision, Epoch: w.epoch(a.Epoch),
		F: a.Op, Key: a.Path, To: a.To, ID: a.Request, Chain: a.Chain,
		Node: w.scenario.Machines[r.Machine], Time: int64(r.At),
		Internal: a.Op == store.OpReplaceMember || byProcess(a.Request)})
}

// keep is up to which revision a node's earlier word still holds after an installation: all of
// it unless it took a full copy.
func keep(r store.Installed) uint64 {
	if r.How == "full" {
		return 0
	}
	return r.Revision
}

// epoch makes one number of a ring id: the order of rings is the order of numbers.
func (w *watch) epoch(id ring.ID) uint64 {
	place, _ := w.subject.machineOf(id.Rep)
	return id.Seq<<9 | uint64(place)
}

// quorum takes a node's verdict on its ring. Two rings that are quorate at the same time must
// share a member: it has left one of them, its machine just does not know yet.
func (w *watch) quorum(r scenarios.Stamped, v node.QuorumView) {
	w.now[r.Machine] = ring.ID{}
	if !v.Quorate {
		return
	}
	w.now[r.Machine] = v.Ring
	if w.rings[v.Ring] == nil {
		w.rings[v.Ring] = v.Members
		w.order = append(w.order, v.Ring)
	}
	for machine, id := range w.now {
		members := w.rings[id]
		if id.IsZero() || id == v.Ring || w.split != nil || share(members, v.Members) {
			continue
		}
		w.split = &linearizability.Violation{Kind: linearizability.SplitBrain, Explain: fmt.Sprintf(
			"at %v ring %v of nodes %v is quorate on %s while ring %v of nodes %v is quorate on %s",
			r.At, v.Ring, v.Members, w.scenario.Machines[r.Machine], id, members, w.scenario.Machines[machine])}
	}
}

func share(a, b []ring.NodeID) bool {
	return slices.ContainsFunc(a, func(id ring.NodeID) bool { return slices.Contains(b, id) })
}

// simulated is the world in which no record is ever lost.
const simulated = "sim"

// Check implements scenarios.Watch.
func (w *watch) Check(ctx context.Context, r *scenarios.Run) []linearizability.Verdict {
	if r.Backend != simulated {
		w.evs.AllowMissingTail()
	}
	verdicts := []linearizability.Verdict{w.checkStore(ctx, r), w.epochs.verdict(r.Backend != simulated),
		w.checkQuorum(), w.checkSynchrony(), w.checkRecovery(r), w.checkTrees(r)}
	if w.ha != nil {
		if witness, err := linearizability.NewWitness(w.witness); err != nil {
			verdicts = append(verdicts, unknown("ha", err))
		} else {
			verdicts = append(verdicts, w.ha.check(r, witness.Log())...)
		}
		verdicts = append(verdicts, w.ha.checkLife(r)...)
	}
	return verdicts
}

func unknown(checker string, err error) linearizability.Verdict {
	return linearizability.Verdict{Checker: checker, Validity: linearizability.Unknown, Summary: err.Error()}
}

// checkStore judges the clients' history against the stores' own logs.
func (w *watch) checkStore(ctx context.Context, r *scenarios.Run) linearizability.Verdict {
	model, err := models.Store(nil)
	if err != nil {
		return unknown("store", err)
	}
	witness, err := linearizability.NewWitness(w.witness)
	if err != nil {
		return unknown("store", err)
	}
	files := *r
	files.Events = slices.DeleteFunc(slices.Clone(r.Events), func(e history.Event) bool { return haspec.IsRequest(e.F) })
	verdict := scenarios.CheckHistory(ctx, &files, model, witness)
	r.Picture = files.Picture
	return verdict
}

func (w *watch) checkQuorum() linearizability.Verdict {
	v := linearizability.Verdict{Checker: "quorum", Validity: linearizability.Valid}
	if w.split != nil {
		v.Validity, v.Violations = linearizability.Invalid, []linearizability.Violation{*w.split}
		v.Summary = w.split.Explain
		return v
	}
	v.Summary = fmt.Sprintf("never two quorate partitions, in %d quorate rings", len(w.order))
	return v
}

func (w *watch) checkSynchrony() linearizability.Verdict {
	v := linearizability.Verdict{Checker: "membership", Validity: linearizability.Valid,
		Summary: "one total order in every ring, and the same for those who move together"}
	for _, breach := range w.evs.Finish() {
		if v.Validity == linearizability.Valid {
			v.Validity, v.Summary = linearizability.Invalid, breach.Error()
			continue
		}
		v.Details = append(v.Details, breach.Error())
	}
	return v
}

// checkRecovery: after quiescence every machine serves linearizable reads.
func (w *watch) checkRecovery(r *scenarios.Run) linearizability.Verdict {
	v := scenarios.CheckRecovery(r)
	if v.Validity != linearizability.Valid {
		return v
	}
	for _, f := range r.Finals {
		answer, err := store.DecodeResponse(f.Output)
		name := w.scenario.Machines[f.Machine]
		switch {
		case err != nil:
			v.Validity, v.Summary = linearizability.Invalid, fmt.Sprintf("%s answers %s with nonsense: %v", name, f.Op.F, err)
		case !answer.OK && answer.Code != tree.NotFound:
			v.Validity = linearizability.Invalid
			v.Summary = fmt.Sprintf("%s does not serve %v after the last fault: %s: %s", name,
				w.scenario.Quiescence, answer.Code, answer.Message)
		}
		if v.Validity != linearizability.Valid {
			v.Details = append(v.Details, string(f.Output))
			return v
		}
	}
	return v
}

// checkTrees: machines that end at the same revision hold the same tree.
func (w *watch) checkTrees(r *scenarios.Run) linearizability.Verdict {
	v := linearizability.Verdict{Checker: "trees", Validity: linearizability.Unknown,
		Summary: "no machine told its digest"}
	first := map[uint64]scenarios.Final{}
	for _, f := range r.Finals {
		if f.Op.F != finalDigest || f.Err != nil {
			continue
		}
		answer, err := store.DecodeResponse(f.Output)
		if err != nil || !answer.OK {
			continue // recovery speaks of it
		}
		other, seen := first[answer.Revision]
		if !seen {
			first[answer.Revision] = f
			if v.Validity == linearizability.Unknown {
				v.Validity = linearizability.Valid
				v.Summary = fmt.Sprintf("equal trees at revision %d", answer.Revision)
			}
			continue
		}
		before, err := store.DecodeResponse(other.Output)
		if err == nil && (before.Digest != answer.Digest || before.Chain != answer.Chain) {
			v.Validity = linearizability.Invalid
			v.Summary = fmt.Sprintf("%s and %s hold different trees at revision %d",
				w.scenario.Machines[other.Machine], w.scenario.Machines[f.Machine], answer.Revision)
			return v
		}
	}
	return v
}
