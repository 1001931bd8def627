package storecheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Epochs checks the rules of the policy strict, record by record: an epoch is decided once and by a quorum
// of reports, it begins with everything that was ever acknowledged before it, nothing is applied by a
// machine that is not in it, and nothing is answered that is on too few disks. Each rule is stricter than
// what clients can see: a breach is a finding even where luck hides it from them.
//
// A process emits a record before it sends anything that follows from it, so in both backends the order of
// the records is one in which causes precede effects.
type Epochs struct {
	machines       []string
	nodes          []ring.NodeID // by machine
	votesByMachine []uint32      // by machine
	quorumVotes    uint32        // votes that must have reported
	ackVotes       uint32        // votes that must have an acknowledged change on disk
	expectedVotes  uint32        // of all machines

	sortedEpochs  []*epoch     // ascending
	currentEpochs []*epoch     // by machine: the installed one that it is still in
	roleByMachine []store.Role // by machine
	// openedRevisions is, by machine, the revision that its store found when it started.
	openedRevisions []uint64
	// counted is, by machine, the highest answered revision for which its disk was counted.
	counted []countedDisk
	// forgot is, by machine, what its disk no longer had when its store started; nil once it has a vote
	// again.
	forgot []*countedDisk
	// isNew reports, by machine, whether its store began with an empty disk, or under another identity
	// because its disk was put back.
	isNew []bool
	// disks is, by machine, what the disk held when the store last reported a revision as durable.
	disks []diskReport

	answerCount int
	firstBreach *linearizability.Violation // the first
	// firstUnderReplicated is the first answer that is on too few disks, dropped the first acknowledged
	// change that a store reports as lost.
	firstUnderReplicated, dropped *linearizability.Violation
	// lost are the starts without an answered revision.
	lost []lostRevision
}

// lostRevision is a start of a store without a revision for which its disk was counted.
type lostRevision struct {
	machine env.MachineID
	at      time.Duration
	*linearizability.Violation
}

// diskReport is what a disk held at an instant.
type diskReport struct {
	at    time.Duration
	state *scenarios.DiskState // nil where the backend does not know it
}

// countedDisk is an answer for which a disk was counted.
type countedDisk struct {
	revision uint64
	epoch    *epoch
	at       time.Duration
}

// rememberTime is how long a store may take to remember durably what another one has confirmed.
const rememberTime = time.Second

// epoch is what was seen of one.
type epoch struct {
	id         ring.ID
	members    []ring.NodeID
	sourceNode ring.NodeID
	// startRevision is the lowest revision that was installed, acknowledged the highest answered.
	startRevision, acknowledgedRevision uint64
	// durableRevisions is, by machine, the highest revision on its disk plus one; 0 if not installed.
	durableRevisions []uint64
}

// NewEpochs makes the check.
func NewEpochs(c Cluster) *Epochs {
	n := len(c.Machines)
	e := &Epochs{machines: c.Machines, nodes: c.Nodes, votesByMachine: c.Votes,
		currentEpochs: make([]*epoch, n),
		roleByMachine: make([]store.Role, n), openedRevisions: make([]uint64, n),
		counted: make([]countedDisk, n), forgot: make([]*countedDisk, n), isNew: make([]bool, n),
		disks: make([]diskReport, n)}
	var expected uint32
	for _, v := range c.Votes {
		expected += v
	}
	e.quorumVotes = expected/2 + 1
	// One disk alone is not enough where a quorum is more than that.
	if e.ackVotes = expected - e.quorumVotes + 1; slices.Max(c.Votes) >= e.ackVotes {
		e.ackVotes = e.quorumVotes
	}
	e.expectedVotes = expected
	return e
}

// Name implements check.Check.
func (*Epochs) Name() string { return "epochs" }

// Observe implements check.Observer. After the first breach nothing more is judged.
func (e *Epochs) Observe(r scenarios.Stamped) {
	if e.firstBreach != nil {
		return
	}
	switch rec := r.Record.(type) {
	case store.Installed:
		e.onInstalled(r.Machine, rec)
	case store.Opened:
		e.onOpened(r, rec)
	case store.Applied:
		e.onApplied(r, rec)
	case store.Acknowledged:
		e.onAnswered(r, rec.Epoch, rec.Revision, rec.Request)
	case store.Answered:
		if !rec.Local && isFromTheOrder(rec.Code) {
			e.onAnswered(r, rec.Epoch, rec.Revision, rec.Request)
		}
	case store.RoleChanged:
		e.roleByMachine[r.Machine] = rec.Role
		if rec.Role == store.RoleVoter {
			e.forgot[r.Machine], e.isNew[r.Machine] = nil, false // an operator has given it its vote
		}
	case store.Writable:
		if !rec.Writable {
			e.currentEpochs[r.Machine] = nil
		}
	case store.Dropped:
		e.onDropped(r, rec)
	case store.WentBack:
		e.currentEpochs[r.Machine], e.isNew[r.Machine] = nil, true
	case store.Failed, store.Left:
		e.currentEpochs[r.Machine] = nil
	}
}

// isFromTheOrder reports whether an answer is about the tree at a place in the order. The others report that
// the store cannot answer.
func isFromTheOrder(code string) bool {
	switch tree.Code(code) {
	case store.CodeReadOnly, store.CodeNoQuorum, store.CodeTryAgain, store.CodeFailed, store.CodeUnknown:
		return false
	}
	return true
}

// addViolation notes a breach of the rules.
func (e *Epochs) addViolation(kind linearizability.Kind, rev uint64, format string, args ...any) {
	e.firstBreach = violationAt(kind, rev, format, args...)
}

// violationAt is one at a revision.
func violationAt(kind linearizability.Kind, rev uint64, format string,
	args ...any) *linearizability.Violation {
	return &linearizability.Violation{Kind: kind, Revisions: []uint64{rev},
		Explain: fmt.Sprintf(format, args...)}
}

// epochIndex finds the place of an epoch among all.
func (e *Epochs) epochIndex(id ring.ID) (int, bool) {
	if n := len(e.sortedEpochs); n > 0 && e.sortedEpochs[n-1].id == id {
		return n - 1, true
	}
	return slices.BinarySearchFunc(e.sortedEpochs, id,
		func(a *epoch, id ring.ID) int { return a.id.Compare(id) })
}

// onInstalled takes a machine's installation of an epoch, and holds it against the other machines'.
func (e *Epochs) onInstalled(m env.MachineID, r store.Installed) {
	at, known := e.epochIndex(r.Epoch)
	if !known {
		e.sortedEpochs = slices.Insert(e.sortedEpochs, at,
			&epoch{id: r.Epoch, members: r.Members, sourceNode: r.Source,
				startRevision: r.Revision, durableRevisions: make([]uint64, len(e.nodes))})
		switch votes := e.votesOf(r.Members); {
		case r.Replaced != 0:
			e.checkReplaced(m, r, votes)
		case votes < e.quorumVotes:
			e.addViolation(linearizability.SplitBrain, r.Revision,
				"%s installs epoch %v, decided by the reports of nodes %v: %d votes, and %d are needed",
				e.machines[m], r.Epoch, r.Members, votes, e.quorumVotes)
		}
		e.checkForgetful(r) // a store that installs it later tells nothing of when it was decided
	}
	ep := e.sortedEpochs[at]
	switch had := ep.durableRevisions[m]; {
	case ep.sourceNode != r.Source || !slices.Equal(ep.members, r.Members):
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"epoch %v begins twice: with the state of node %d decided by %v, on %s that of %d decided by %v",
			r.Epoch, ep.sourceNode, ep.members, e.machines[m], r.Source, r.Members)
	case had > r.Revision+1:
		e.addViolation(linearizability.LostWrite, r.Revision,
			"%s installs epoch %v again, at revision %d, after it had confirmed revision %d there",
			e.machines[m], r.Epoch, r.Revision, had-1)
	}
	ep.startRevision = min(ep.startRevision, r.Revision)
	ep.durableRevisions[m] = max(ep.durableRevisions[m], r.Revision+1)
	e.currentEpochs[m], e.roleByMachine[m] = ep, r.Role
	e.isNew[m] = e.isNew[m] && r.Role != store.RoleVoter
	for _, old := range e.sortedEpochs[:at] {
		e.checkContains(old, ep)
	}
}

// checkReplaced takes an epoch whose decision gave a node's vote to its present store, because it lacked
// that vote for a quorum. That is right only if the stores that decided have everything that was ever
// acknowledged, are a quorum together with the node, and the node's store has in fact forgotten what the
// old one knew.
func (e *Epochs) checkReplaced(m env.MachineID, r store.Installed, votes uint32) {
	k := slices.Index(e.nodes, r.Replaced)
	switch {
	case k < 0 || slices.Contains(r.Members, r.Replaced):
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s installs epoch %v, which gives the vote of node %d away although %v decided it",
			e.machines[m], r.Epoch, r.Replaced, r.Members)
	case votes+e.ackVotes <= e.expectedVotes || votes+e.votesByMachine[k] < e.quorumVotes:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s installs epoch %v, which gives node %d its vote back by the reports of nodes %v: %d "+
				"votes of %d, and others may have acknowledged what they lack", e.machines[m], r.Epoch,
			r.Replaced, r.Members, votes, e.expectedVotes)
	case !e.isNew[k]:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s installs epoch %v, which gives the vote of %s to another store, and its store has lost "+
				"nothing", e.machines[m], r.Epoch, e.machines[k])
	}
	if k >= 0 {
		e.forgot[k], e.isNew[k] = nil, false // it votes by right
	}
}

// checkContains checks that an epoch begins with everything that was acknowledged in an older one.
func (e *Epochs) checkContains(old, ep *epoch) {
	if e.firstBreach == nil && old.acknowledgedRevision > ep.startRevision {
		e.addViolation(linearizability.LostWrite, old.acknowledgedRevision,
			"revision %d was answered in epoch %v, and the later epoch %v begins at revision %d without it",
			old.acknowledgedRevision, old.id, ep.id, ep.startRevision)
	}
}

// votesOf sums the votes of nodes.
func (e *Epochs) votesOf(nodes []ring.NodeID) (votes uint32) {
	for m, id := range e.nodes {
		if slices.Contains(nodes, id) {
			votes += e.votesByMachine[m]
		}
	}
	return votes
}

// onOpened takes the start of a store: it must find every answered revision for which its disk was
// counted.
func (e *Epochs) onOpened(at scenarios.Stamped, r store.Opened) {
	m := at.Machine
	if found, counted := r.Revision, e.counted[m].revision; found < counted {
		if before := e.counted[m]; before.at+rememberTime < at.At {
			e.forgot[m] = &before
		}
		e.lost = append(e.lost, lostRevision{m, at.At, violationAt(linearizability.LostWrite, counted,
			"%s starts with revision %d, although its disk was counted when revision %d was answered",
			e.machines[m], found, counted)})
		e.counted[m].revision = found // reported once
	}
	e.isNew[m] = e.isNew[m] || r.Epoch.IsZero()
	e.currentEpochs[m], e.openedRevisions[m], e.disks[m] = nil, r.Revision, diskReport{at.At, at.Disk}
}

// checkForgetful checks that an epoch is not decided with the report of a disk that has forgotten what it
// was counted for, together with the report of a store that had the same and therefore remembers.
func (e *Epochs) checkForgetful(r store.Installed) {
	for m, forgotten := range e.forgot {
		if forgotten == nil || e.firstBreach != nil || !slices.Contains(r.Members, e.nodes[m]) {
			continue
		}
		for k, durable := range forgotten.epoch.durableRevisions {
			if k == m || durable <= forgotten.revision || e.forgot[k] != nil ||
				!slices.Contains(r.Members, e.nodes[k]) {
				continue
			}
			e.addViolation(linearizability.SplitBrain, forgotten.revision,
				"epoch %v is decided with the report of %s, whose disk has lost revision %d since it was "+
					"counted for it, although %s had confirmed the same", r.Epoch, e.machines[m],
				forgotten.revision, e.machines[k])
		}
	}
}

// onDropped takes the report of a store that had acknowledged changes which the cluster went on without.
func (e *Epochs) onDropped(at scenarios.Stamped, r store.Dropped) {
	if e.dropped == nil {
		e.dropped = violationAt(linearizability.LostWrite, r.From,
			"%s reports at %v that revisions %d to %d were acknowledged and are not in epoch %v",
			e.machines[at.Machine], at.At, r.From, r.From+r.Confirmed-1, r.Epoch)
	}
}

// firstLost returns the first start without an answered revision that no injected fault explains. A disk
// that a fault has wiped or put back may start without; what must not happen is that anything is lost by it.
func (e *Epochs) firstLost(run *scenarios.Run) *linearizability.Violation {
	for _, l := range e.lost {
		explained := slices.ContainsFunc(run.Applied, func(a scenarios.Applied) bool {
			return a.Fault.LosesData() && a.Problem == "" && a.Begun[0] <= l.at &&
				fault.Names(a.Fault.Machines, e.machines[l.machine])
		})
		if !explained {
			return l.Violation
		}
	}
	return nil
}

// onApplied takes a change that a machine has on disk: it must be in the epoch, and the next of it, and the
// disk must have taken a write for it.
func (e *Epochs) onApplied(at scenarios.Stamped, r store.Applied) {
	m := at.Machine
	ep, last := e.currentEpochs[m], e.disks[m]
	e.disks[m] = diskReport{at.At, at.Disk}
	switch {
	case ep == nil && r.Revision <= e.openedRevisions[m]: // emitted again after a restart
	case ep == nil || ep.id != r.Epoch:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s applies revision %d in epoch %v, which it is not in", e.machines[m], r.Revision, r.Epoch)
	case r.Revision != ep.durableRevisions[m]:
		e.addViolation(linearizability.SplitBrain, r.Revision,
			"%s applies revision %d in epoch %v after revision %d",
			e.machines[m], r.Revision, r.Epoch, ep.durableRevisions[m]-1)
	case at.Disk != nil && last.state != nil && at.At > last.at &&
		at.Disk.SyncedWrites == last.state.SyncedWrites:
		e.addViolation(linearizability.LostWrite, r.Revision,
			"%s reports revision %d of epoch %v as durable, and its disk has taken no write since %v",
			e.machines[m], r.Revision, r.Epoch, last.at)
	default:
		ep.durableRevisions[m]++
	}
}

// onAnswered takes an answer to a client about the tree at a revision.
func (e *Epochs) onAnswered(by scenarios.Stamped, id ring.ID, revision uint64, request string) {
	m := by.Machine
	e.answerCount++
	at, ok := e.epochIndex(id)
	if !ok {
		e.addViolation(linearizability.Phantom, revision,
			"%s answers %s in epoch %v, which no node has installed",
			e.machines[m], request, id)
		return
	}
	ep := e.sortedEpochs[at]
	var votes uint32
	for k, durable := range ep.durableRevisions {
		if durable > revision && e.roleByMachine[k] == store.RoleVoter {
			votes += e.votesByMachine[k]
			if revision > e.counted[k].revision {
				e.counted[k] = countedDisk{revision, ep, by.At}
			}
		}
	}
	if votes < e.ackVotes && e.firstUnderReplicated == nil {
		e.firstUnderReplicated = violationAt(linearizability.LostWrite, revision,
			"%s answers %s at revision %d of epoch %v while %d votes have that on disk: %d are needed",
			e.machines[m], request, revision, id, votes, e.ackVotes)
	}
	if revision <= ep.acknowledgedRevision {
		return
	}
	ep.acknowledgedRevision = revision
	for _, later := range e.sortedEpochs[at+1:] {
		e.checkContains(ep, later)
	}
}

// Judge implements check.Check. Where records may be missing, because a killed machine took its last ones
// with it, disks are not counted.
func (e *Epochs) Judge(_ context.Context, evidence *Evidence) linearizability.Verdict {
	v := linearizability.Verdict{Checker: e.Name(), Validity: linearizability.Valid}
	breach := e.firstBreach
	switch lost := e.firstLost(evidence.Run); { // the cause of what came later
	case evidence.Incomplete:
	case lost != nil:
		breach = lost
	case e.firstUnderReplicated != nil:
		breach = e.firstUnderReplicated
	}
	if breach == nil {
		breach = e.dropped
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
		e.answerCount, durable, len(e.sortedEpochs))
	return v
}
