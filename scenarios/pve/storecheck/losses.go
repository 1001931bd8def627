package storecheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Losses checks that no loss is silent: a store that gives up changes which it had itself acknowledged to
// clients reports that before. Whether anything may be lost at all is for the other checks; here a loss is
// invalid only if the store that witnessed it kept quiet.
type Losses struct {
	machines []string
	// acknowledged are, by machine, the latest changes that its store acknowledged, in the order of answers.
	acknowledged [][]acknowledgedChange
	chains       []map[uint64]string // by machine: the chain at each of the latest revisions on its disk
	reported     [][]store.Dropped   // by machine
	reportCount  int
	violations   []linearizability.Violation
}

// acknowledgedChange is a change that a store answered with success.
type acknowledgedChange struct {
	revision uint64
	chain    string
	at       time.Duration
	// isRemembered reports that the store has committed since. Every commit also makes durable what the
	// store knows of the others' confirmations, so from then on it can tell that the change was confirmed.
	isRemembered bool
}

// SilentLoss is a loss of acknowledged changes that their witness did not report.
const SilentLoss linearizability.Kind = "silent-loss"

// maxWitnessed is how many changes of a machine are compared with what it installs: an installation records
// as many.
const maxWitnessed = 1024

// NewLosses makes the check.
func NewLosses(c Cluster) *Losses {
	n := len(c.Machines)
	l := &Losses{machines: c.Machines, acknowledged: make([][]acknowledgedChange, n),
		chains: make([]map[uint64]string, n), reported: make([][]store.Dropped, n)}
	for m := range l.chains {
		l.chains[m] = map[uint64]string{}
	}
	return l
}

// Name implements check.Check.
func (*Losses) Name() string { return "losses" }

// Observe implements check.Observer.
func (l *Losses) Observe(r scenarios.Stamped) {
	m := r.Machine
	switch rec := r.Record.(type) {
	case store.Applied:
		l.onApplied(m, rec)
	case store.Acknowledged:
		l.acknowledged[m] = append(l.acknowledged[m], acknowledgedChange{revision: rec.Revision,
			chain: l.chains[m][rec.Revision], at: r.At})
		if more := len(l.acknowledged[m]) - maxWitnessed; more > 0 {
			l.acknowledged[m] = slices.Delete(l.acknowledged[m], 0, more)
		}
	case store.Opened:
		// What the store had not remembered, or what its disk has lost, it cannot know any longer.
		l.keepAcknowledged(m, func(a acknowledgedChange) bool {
			return a.isRemembered && a.revision <= rec.Revision
		})
	case store.WentBack:
		l.acknowledged[m] = nil // it goes on under an identity that has confirmed nothing
	case store.Dropped:
		l.reported[m] = append(l.reported[m], rec)
		l.reportCount++
	case store.Installed:
		l.onInstalled(m, rec, r.At)
	}
}

// keepAcknowledged keeps the acknowledged changes of a machine for which a condition holds.
func (l *Losses) keepAcknowledged(m env.MachineID, holds func(acknowledgedChange) bool) {
	l.acknowledged[m] = slices.DeleteFunc(l.acknowledged[m],
		func(a acknowledgedChange) bool { return !holds(a) })
}

// onApplied takes a change that a machine has on disk.
func (l *Losses) onApplied(m env.MachineID, r store.Applied) {
	l.chains[m][r.Revision] = r.Chain
	delete(l.chains[m], r.Revision-min(r.Revision, maxWitnessed))
	for i := len(l.acknowledged[m]) - 1; i >= 0 && !l.acknowledged[m][i].isRemembered; i-- {
		l.acknowledged[m][i].isRemembered = true
	}
	if r.Op == store.OpReplaceMember {
		l.acknowledged[m] = nil // confirmed by stores of which one votes no longer
	}
}

// onInstalled compares what a machine had acknowledged with the state that replaces its own.
func (l *Losses) onInstalled(m env.MachineID, r store.Installed, at time.Duration) {
	if r.How != "full" { // it goes on from what it has
		for i := range r.Received {
			l.chains[m][r.Received[i].Revision] = r.Received[i].Chain
		}
		return
	}
	chains := map[uint64]string{}
	for i := range r.Received {
		chains[r.Received[i].Revision] = r.Received[i].Chain
	}
	l.keepAcknowledged(m, func(a acknowledgedChange) bool {
		chain, isKnown := chains[a.revision]
		isDropped := a.revision > r.Revision || isKnown && chain != a.chain
		if isDropped && !l.isReported(m, a.revision) && len(l.violations) == 0 {
			l.violations = append(l.violations, linearizability.Violation{Kind: SilentLoss,
				Revisions: []uint64{a.revision}, Explain: fmt.Sprintf("%s acknowledged revision %d at %v, "+
					"installs epoch %v without it at %v, and reports no loss", l.machines[m], a.revision,
					a.at, r.Epoch, at)})
		}
		return !isDropped
	})
	l.chains[m] = chains
	l.reported[m] = nil
}

// isReported reports whether a machine has reported the loss of a revision.
func (l *Losses) isReported(m env.MachineID, revision uint64) bool {
	return slices.ContainsFunc(l.reported[m], func(d store.Dropped) bool {
		return d.From <= revision && revision < d.From+d.Confirmed
	})
}

// Judge implements check.Check. Where records may be missing, because a killed machine took its last ones
// with it, nothing is concluded from the absence of one.
func (l *Losses) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	if e.Incomplete {
		return check.Verdict(l.Name(), nil, "not judged: records of killed machines may be missing")
	}
	summary := "no store gave up a change that it had acknowledged"
	if l.reportCount > 0 {
		summary = fmt.Sprintf("%d times a store gave up what it had acknowledged, and reported it",
			l.reportCount)
	}
	return check.Verdict(l.Name(), l.violations, summary)
}
