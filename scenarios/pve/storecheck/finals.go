package storecheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// FinalDigest is the question after quiescence whose answers checkTrees compares.
const FinalDigest = store.OpDigest

// checkRecovery checks that every machine serves linearizable reads after quiescence. A machine whose disk a
// fault has damaged may have noticed it and stopped; then it needs its administrator. So does one that its
// administrator has shut down last.
type checkRecovery struct {
	Cluster
	failed map[env.MachineID]bool // stores that have stopped because of their disks
	joined map[env.MachineID]bool // cluster processes that have started since the machine was switched on
	// joinedAt is when they started last.
	joinedAt map[env.MachineID]time.Duration
	// goingDown are machines that an operator shuts down, shutDown those that are off for that reason.
	goingDown, shutDown map[env.MachineID]bool
}

func newRecoveryCheck(c Cluster) checkRecovery {
	return checkRecovery{Cluster: c, failed: map[env.MachineID]bool{}, joined: map[env.MachineID]bool{},
		joinedAt: map[env.MachineID]time.Duration{}, goingDown: map[env.MachineID]bool{},
		shutDown: map[env.MachineID]bool{}}
}

// Name implements check.Check.
func (checkRecovery) Name() string { return "recovery" }

// Observe implements check.Observer.
func (c checkRecovery) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case store.Failed:
		c.failed[r.Machine] = true
	case store.Opened:
		delete(c.failed, r.Machine)
	case initd.GoingDown:
		c.goingDown[r.Machine] = !rec.Reboot
	case scenarios.Power:
		c.joined[r.Machine] = false
		c.shutDown[r.Machine] = !rec.On && (c.goingDown[r.Machine] || c.shutDown[r.Machine])
		c.goingDown[r.Machine] = false
	case totem.Started:
		c.joined[r.Machine], c.joinedAt[r.Machine] = true, r.At
	}
}

// withoutDamaged returns a run without the audits of machines that have stopped because of a damaged disk,
// with their names, and without those of machines that are shut down. When these leave no quorum, no audit
// is left.
func (c checkRecovery) withoutDamaged(run *scenarios.Run) (rest *scenarios.Run, stopped []string) {
	excused, off := map[env.MachineID]bool{}, map[env.MachineID]bool{}
	for i := range c.Machines {
		m := env.MachineID(i)
		damaged := slices.ContainsFunc(run.Applied, func(a scenarios.Applied) bool {
			damages := check.DamagesDisk(a.Fault.Kind) || a.Fault.Kind == fault.DiskCut
			return damages && a.Problem == "" && a.Begun[1] > 0 &&
				fault.Names(a.Fault.Machines, c.Machines[m])
		})
		faults := check.Faults{Machines: c.Machines, Applied: run.Applied, End: run.Duration}
		hasEnded := faults.Killed(m, cpg.Process, run.Duration, run.Duration-c.joinedAt[m])
		excused[m] = damaged && (c.failed[m] || !c.joined[m] || hasEnded)
	}
	allOff := !c.othersHaveQuorum(c.shutDown)
	for i := range c.Machines {
		m := env.MachineID(i)
		off[m] = allOff || c.shutDown[m]
	}
	shortened := *run
	shortened.Finals = slices.DeleteFunc(slices.Clone(run.Finals), func(f scenarios.Final) bool {
		return excused[f.Machine] || off[f.Machine]
	})
	for m, name := range c.Machines {
		if excused[env.MachineID(m)] {
			stopped = append(stopped, name)
		}
	}
	return &shortened, stopped
}

// othersHaveQuorum reports whether the other machines have the votes of a quorum.
func (c checkRecovery) othersHaveQuorum(without map[env.MachineID]bool) bool {
	var votes uint32
	for i := range c.Machines {
		if !without[env.MachineID(i)] {
			votes += c.Votes[i]
		}
	}
	return votes >= c.ExpectedVotes/2+1
}

// Judge implements check.Check.
func (c checkRecovery) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	run, stopped := c.withoutDamaged(e.Run)
	if len(run.Finals) == 0 && len(e.Run.Finals) > 0 && !c.othersHaveQuorum(c.shutDown) {
		return check.Verdict(c.Name(), nil, "at the end so many machines are shut down that none can serve")
	}
	v := scenarios.CheckRecovery(run)
	if v.Validity != linearizability.Valid {
		return v
	}
	if len(stopped) > 0 {
		v.Summary += fmt.Sprintf("; %s stopped, because faults have damaged what their disks hold",
			strings.Join(stopped, ", "))
	}
	for _, f := range run.Finals {
		answer, err := store.DecodeResponse(f.Output)
		name := c.Machines[f.Machine]
		switch {
		case err != nil:
			v.Summary = fmt.Sprintf("%s answers %s with something that cannot be read: %v", name, f.Op.F, err)
		case !answer.OK && answer.Code != tree.NotFound:
			v.Summary = fmt.Sprintf("%s does not serve %v after the last fault: %s: %s", name,
				e.Run.Scenario.Quiescence, answer.Code, answer.Message)
		default:
			continue
		}
		v.Validity, v.Details = linearizability.Invalid, append(v.Details, string(f.Output))
		return v
	}
	return v
}

// checkTrees checks that machines that end at the same revision hold the same tree.
type checkTrees struct{ Cluster }

// Name implements check.Check.
func (checkTrees) Name() string { return "trees" }

// Judge implements check.Check. It is unknown when no machine answered with its digest.
func (c checkTrees) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	v := linearizability.Verdict{Checker: c.Name(), Validity: linearizability.Unknown,
		Summary: "no machine reported the digest of its tree"}
	first := map[uint64]scenarios.Final{} // by revision
	for _, f := range e.Run.Finals {
		if f.Op.F != FinalDigest || f.Err != nil {
			continue
		}
		answer, err := store.DecodeResponse(f.Output)
		if err != nil || !answer.OK {
			continue // checkRecovery reports it
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
				c.Machines[other.Machine], c.Machines[f.Machine], answer.Revision)
			return v
		}
	}
	return v
}
