package storecheck

import (
	"context"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/totem/evs"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// membership checks extended virtual synchrony of every node.
type membership struct {
	Cluster
	evsChecker *evs.Checker
	// formed is how often the representative of a ring has installed it.
	formed map[ring.ID]int
}

func newMembership(c Cluster) membership { return membership{c, evs.New(), map[ring.ID]int{}} }

// Name implements check.Check.
func (membership) Name() string { return "membership" }

// Observe implements check.Observer.
func (m membership) Observe(r scenarios.Stamped) {
	m.evsChecker.Observe(r.Machine, r.Record)
	if conf, is := r.Record.(totem.Membership); is && conf.Kind != cpg.Transitional &&
		conf.Ring.Rep == conf.Node {
		m.formed[conf.Ring]++
	}
}

// formedAgain reports whether the representative of a ring has formed more than one of that number.
func (m membership) formedAgain(id ring.ID) bool { return m.formed[id] > 1 }

// isDiskForgetful reports whether a fault made the disk of a node forget what it had made durable: it was put
// back, lost writes or was damaged.
func (m membership) isDiskForgetful(node ring.NodeID, run *scenarios.Run) bool {
	machine, known := m.machineOf(node)
	return known && slices.ContainsFunc(run.Applied, func(a scenarios.Applied) bool {
		return (a.Fault.LosesData() || check.DamagesDisk(a.Fault.Kind)) && a.Problem == "" &&
			fault.Names(a.Fault.Machines, m.Machines[machine])
	})
}

// Judge implements check.Check.
func (m membership) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	if e.Incomplete {
		m.evsChecker.AllowMissingTail()
	}
	v := linearizability.Verdict{Checker: m.Name(), Validity: linearizability.Valid,
		Summary: "total order within each ring; virtual synchrony across ring changes"}
	for _, breach := range m.evsChecker.Finish() {
		if m.formedAgain(breach.Ring) && m.isDiskForgetful(breach.Ring.Rep, e.Run) {
			continue // two rings with one number, which the ring distinguishes by more than that
		}
		if breach.Rule == evs.Monotonic && m.isDiskForgetful(breach.Node, e.Run) {
			continue // the ring's sequence was on the disk
		}
		if v.Validity == linearizability.Valid {
			v.Validity, v.Summary = linearizability.Invalid, breach.Error()
			continue
		}
		v.Details = append(v.Details, breach.Error())
	}
	return v
}
