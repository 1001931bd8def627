package storecheck

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Epochs checks the rules of the policy strict, record by record: an epoch is decided once and by a quorum
// of reports, it begins with everything that was ever acknowledged before it, nothing is applied by a
// machine that is not in it, and nothing is answered that is on too few disks. Each rule is stricter than
// what clients can see: a breach is a finding even where luck hides it from them.
//
// A process emits a record before it sends anything that follows from it, so in both backends the order of
// the records is one in which causes precede effects.
type Epochs struct {
	machines []string
	nodes    []ring.NodeID // by machine
	votes    []uint32      // by machine
	quorum   uint32        // votes that must have reported
	needed   uint32        // votes that must have an acknowledged change on disk

	all   []*epoch     // ascending
	now   []*epoch     // by machine: the installed one that it is still in
	roles []store.Role // by machine
	// opened is, by machine, the revision that its store found when it started.
	opened []uint64

	answers int
	breach  *linearizability.Violation // the first
	// thin is the first answer that is on too few disks.
	thin *linearizability.Violation
}

// epoch is what was seen of one.
type epoch struct {
	id      ring.ID
	members []ring.NodeID
	source  ring.NodeID
	// start is the lowest revision that was installed, acknowledged the highest answered.
	start, acknowledged uint64
	// durable is, by machine, the highest revision on its disk plus one; 0 if not installed.
	durable []uint64
}

// NewEpochs makes the check.
func NewEpochs(c Cluster) *Epochs {
	n := len(c.Machines)
	e := &Epochs{machines: c.Machines, nodes: c.Nodes, votes: c.Votes, now: make([]*epoch, n),
		roles: make([]store.Role, n), opened: make([]uint64, n)}
	var expected uint32
	for _, v := range c.Votes {
		expected += v
	}
	e.quorum = expected/2 + 1
	e.needed = expected - e.quorum + 1
	return e
}

// Name implements check.Check.
func (*Epochs) Name() string { return "epochs" }

// Observe implements check.Observer. After the first breach nothing more is judged.
func (e *Epochs) Observe(r scenarios.Stamped) {
	if e.breach != nil {
		return
	}
	switch rec := r.Record.(type) {
	case store.Installed:
		e.installed(r.Machine, rec)
	case store.Opened:
		e.now[r.Machine], e.opened[r.Machine] = nil, rec.Revision
	case store.Applied:
		e.applied(r.Machine, rec)
	case store.Acknowledged:
		e.answered(r.Machine, rec.Epoch, rec.Revision, rec.Request)
	case store.Answered:
		if !rec.Local && fromTheOrder(rec.Code) {
			e.answered(r.Machine, rec.Epoch, rec.Revision, rec.Request)
		}
	case store.RoleChanged:
		e.roles[r.Machine] = rec.Role
	case store.Writable:
		if !rec.Writable {
			e.now[r.Machine] = nil
		}
	case store.Failed:
		e.now[r.Machine] = nil
	}
}

// fromTheOrder reports whether an answer is about the tree at a place in the order. The others report that
// the store cannot answer.
func fromTheOrder(code string) bool {
	switch tree.Code(code) {
	case store.CodeReadOnly, store.CodeNoQuorum, store.CodeTryAgain, store.CodeFailed, store.CodeUnknown:
		return false
	}
	return true
}

// addViolation notes a breach of the rules.
func (e *Epochs) addViolation(kind linearizability.Kind, rev uint64, format string, args ...any) {
	e.breach = violation(kind, rev, format, args...)
}

// violation is one at a revision.
func violation(kind linearizability.Kind, rev uint64, format string,
	args ...any) *linearizability.Violation {
	return &linearizability.Violation{Kind: kind, Revisions: []uint64{rev},
		Explain: fmt.Sprintf(format, args...)}
}

// search finds the place of an epoch among all.
func (e *Epochs) search(id ring.ID) (int, bool) {
	if n := len(e.all); n > 0 && e.all[n-1].id == id {
		return n - 1, true
	}
	return slices.BinarySearchFunc(e.all, id, func(a *epoch, id ring.ID) int { return a.id.Compare(id) })
}

// installed takes a machine's installation of an epoch, and holds it against the other machines'.
func (e *Epochs) installed(m env.MachineID, r store.Installed) {
	at, known := e.search(r.Epoch)
	if !known {
		e.all = slices.Insert(e.all, at, &epoch{id: r.Epoch, members: r.Members, source: r.Source,
			start: r.Revision, durable: make([]uint64, len(e.nodes))})
		if votes := e.votesOf(r.Members); votes < e.quorum {
			e.addViolation(linearizability.SplitBrain, r.Revision,
				"%s installs epoch %v, decided by the reports of nodes %v: %d votes, and %d are needed",
				e.machines[m], r.Epoch, r.Members, votes, e.quorum)
		}
	}
	ep := e.all[at]
	switch had := ep.durable[m]; {
	case ep.source != r.Source || !slices.Equal(ep.members, r.Members):
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"epoch %v begins twice: with the state of node %d decided by %v, on %s that of %d decided by %v",
			r.Epoch, ep.source, ep.members, e.machines[m], r.Source, r.Members)
	case had > r.Revision+1:
		e.addViolation(linearizability.LostWrite, r.Revision,
			"%s installs epoch %v again, at revision %d, after it had confirmed revision %d there",
			e.machines[m], r.Epoch, r.Revision, had-1)
	}
	ep.start = min(ep.start, r.Revision)
	ep.durable[m] = max(ep.durable[m], r.Revision+1)
	e.now[m], e.roles[m] = ep, r.Role
	for _, old := range e.all[:at] {
		e.compare(old, ep)
	}
}

// compare checks that an epoch begins with everything that was acknowledged in an older one.
func (e *Epochs) compare(old, ep *epoch) {
	if e.breach == nil && old.acknowledged > ep.start {
		e.addViolation(linearizability.LostWrite, old.acknowledged,
			"revision %d was answered in epoch %v, and the later epoch %v begins at revision %d without it",
			old.acknowledged, old.id, ep.id, ep.start)
	}
}

// votesOf sums the votes of nodes.
func (e *Epochs) votesOf(nodes []ring.NodeID) (votes uint32) {
	for m, id := range e.nodes {
		if slices.Contains(nodes, id) {
			votes += e.votes[m]
		}
	}
	return votes
}

// applied takes a change that a machine has on disk: it must be in the epoch, and the next of it.
func (e *Epochs) applied(m env.MachineID, r store.Applied) {
	ep := e.now[m]
	switch {
	case ep == nil && r.Revision <= e.opened[m]: // emitted again after a restart
	case ep == nil || ep.id != r.Epoch:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s applies revision %d in epoch %v, which it is not in", e.machines[m], r.Revision, r.Epoch)
	case r.Revision != ep.durable[m]:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s applies revision %d in epoch %v after revision %d",
			e.machines[m], r.Revision, r.Epoch, ep.durable[m]-1)
	default:
		ep.durable[m]++
	}
}

// answered takes an answer to a client about the tree at a revision.
func (e *Epochs) answered(m env.MachineID, id ring.ID, revision uint64, request string) {
	e.answers++
	at, ok := e.search(id)
	if !ok {
		e.addViolation(linearizability.Phantom, revision,
			"%s answers %s in epoch %v, which no node has installed",
			e.machines[m], request, id)
		return
	}
	ep := e.all[at]
	var votes uint32
	for k, durable := range ep.durable {
		if durable > revision && e.roles[k] == store.RoleVoter {
			votes += e.votes[k]
		}
	}
	if votes < e.needed && e.thin == nil {
		e.thin = violation(linearizability.LostWrite, revision,
			"%s answers %s at revision %d of epoch %v while %d votes have that on disk: %d are needed",
			e.machines[m], request, revision, id, votes, e.needed)
	}
	if revision <= ep.acknowledged {
		return
	}
	ep.acknowledged = revision
	for _, later := range e.all[at+1:] {
		e.compare(ep, later)
	}
}

// Judge implements check.Check. Where records may be missing, because a killed machine took its last ones
// with it, disks are not counted.
func (e *Epochs) Judge(_ context.Context, evidence *Evidence) linearizability.Verdict {
	v := linearizability.Verdict{Checker: e.Name(), Validity: linearizability.Valid}
	breach := e.breach
	if e.thin != nil && !evidence.Incomplete {
		breach = e.thin // the cause of what came later
	}
	if breach != nil {
		v.Validity, v.Summary = linearizability.Invalid, breach.Explain
		v.Violations = []linearizability.Violation{*breach}
		return v
	}
	durable := ": each durable on a write quorum"
	if evidence.Incomplete {
		durable = ""
	}
	v.Summary = fmt.Sprintf("%d answers%s; each of %d epochs contains all earlier acknowledged writes",
		e.answers, durable, len(e.all))
	return v
}
