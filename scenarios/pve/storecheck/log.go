package storecheck

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Log collects what the stores applied, by their own records: the witness of the clients' history.
type Log struct {
	cluster Cluster
	entries []history.WitnessEntry
	tips    []uint64 // by machine: the last revision that it had
}

func newLog(c Cluster) *Log { return &Log{cluster: c, tips: make([]uint64, len(c.Machines))} }

// FromProcess reports whether a request came from a process of a machine and not from a client of the
// workload: the HA manager and the operator keep to files of their own, and their request ids have the
// machine and the process in them (n1/crm/7).
func FromProcess(request string) bool { return strings.Contains(request, "/") }

// Observe implements check.Observer.
func (l *Log) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case store.Applied:
		l.onApplied(r, &rec)
	case store.Opened:
		// A disk that has lost what it had reported as durable shows it when the store starts. Whether a
		// fault explains that is for the check of epochs to decide. A store that was never in a cluster must
		// not answer.
		if rec.Revision < l.tips[r.Machine] && !rec.Epoch.IsZero() {
			l.add(r, history.WitnessEntry{Kind: history.WitnessInstall, Rev: rec.Revision, Keep: rec.Revision,
				Epoch: l.epochNumber(rec.Epoch), Chain: rec.Chain})
		}
	case store.Installed:
		l.add(r, history.WitnessEntry{Kind: history.WitnessInstall, Rev: rec.Revision, Keep: keptUpTo(rec),
			Epoch: l.epochNumber(rec.Epoch), Chain: rec.Chain})
		for i := range rec.Received {
			l.onApplied(r, &rec.Received[i])
		}
	}
}

// add adds an entry of the machine that made a record.
func (l *Log) add(r scenarios.Stamped, e history.WitnessEntry) {
	e.Node, e.Time = l.cluster.Machines[r.Machine], int64(r.At)
	l.entries, l.tips[r.Machine] = append(l.entries, e), e.Rev
}

// onApplied notes a change that a machine has on disk.
func (l *Log) onApplied(r scenarios.Stamped, a *store.Applied) {
	l.add(r, history.WitnessEntry{Rev: a.Revision, Epoch: l.epochNumber(a.Epoch),
		F: a.Op, Key: a.Path, To: a.To, ID: a.Request, Chain: a.Chain,
		Internal: a.Op == store.OpReplaceMember || FromProcess(a.Request)})
}

// keptUpTo is the revision up to which earlier entries of a node still hold after an installation: all unless
// it took a full copy.
func keptUpTo(r store.Installed) uint64 {
	if r.How == "full" {
		return 0
	}
	return r.Revision
}

// epochNumber makes one number of a ring id, so that the order of the numbers is the order of the rings.
func (l *Log) epochNumber(id ring.ID) uint64 {
	machine, _ := l.cluster.machineOf(id.Rep)
	return id.Seq<<9 | uint64(machine)
}

// Witness makes the witness. It returns an error when the log cannot be one.
func (l *Log) Witness() (*linearizability.Witness, error) {
	return linearizability.NewWitness(l.entries)
}
