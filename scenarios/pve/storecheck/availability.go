package storecheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Availability checks that an outage between faults is bounded: the machines of a majority serve every call
// when nothing has changed
// for longer than the ring's timers allow for. The check recovery asks the same at the end of the run only.
type Availability struct {
	Cluster
	power  check.PowerLog
	leaves []orderlyEnd
}

// orderlyEnd is an orderly end: of a machine, or of its store alone, which then starts again.
type orderlyEnd struct {
	at      time.Duration
	machine env.MachineID
	off     bool // the machine goes down
}

// Outage is the kind of a call that a settled majority did not serve.
const Outage linearizability.Kind = "outage"

// serveAfterRing is how long a store may take from the first ring of the machines that are left until it
// serves. DESIGN.md of scenarios/pve explains the number.
const serveAfterRing = 5 * time.Second

// serveWithin is how long a store may take from the last change of any machine's health until it serves: the
// ring misses its token and agrees without the silent nodes. That can take three attempts: where two rings
// meet while each of them loses a member, first each agrees on its own.
func (c *Cluster) serveWithin() time.Duration { return c.Token + 3*c.Consensus + serveAfterRing }

// NewAvailability makes the check.
func NewAvailability(c Cluster) *Availability { return &Availability{Cluster: c} }

// Name implements check.Check.
func (*Availability) Name() string { return "availability" }

// Observe implements check.Observer.
func (a *Availability) Observe(r scenarios.Stamped) {
	switch r.Record.(type) {
	case scenarios.Power:
		a.power.Observe(r)
	case initd.GoingDown:
		a.leaves = append(a.leaves, orderlyEnd{r.At, r.Machine, true})
	case store.Left:
		a.leaves = append(a.leaves, orderlyEnd{r.At, r.Machine, false})
	}
}

// Judge implements check.Check.
func (a *Availability) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	ops, err := history.Operations(e.Run.Events)
	if err != nil {
		return check.Unknown(a.Name(), err)
	}
	h := check.NewHealth(e.Run, a.power, a.HealthModel(e.Run.Timescale))
	settle := e.Run.Timescale.Of(a.serveWithin())
	steady := make([][]check.Span, len(a.Machines))
	for m := range a.Machines {
		steady[m] = h.SteadyMajority(env.MachineID(m), settle)
	}
	judged := 0
	var violations []linearizability.Violation
	for i := range ops {
		op := &ops[i]
		call := time.Duration(op.Call)
		during := check.Span{From: call, To: call + e.Run.Scenario.Workload.Timeout}
		if m, is := a.machineOfCall(op); !is || !covered(steady[m], during) ||
			a.isDisturbedByLeave(env.MachineID(m), check.Span{From: call - settle, To: during.To}) {
			continue
		}
		if a.gaveUpEarly(op, e.Run) {
			continue
		}
		judged++
		if isUnanswered(op) && len(violations) == 0 { // the others of a run have the same cause
			violations = append(violations, linearizability.Violation{Kind: Outage, Explain: fmt.Sprintf(
				"%s did not serve %s %s at %v (%s %s), although no machine's health had changed for %v",
				op.Node, op.F, op.ID, call, op.Outcome, op.Error, settle)})
		}
	}
	summary := fmt.Sprintf("%d calls to a majority that nothing had changed for %v were served", judged,
		settle)
	if judged == 0 {
		summary = fmt.Sprintf("no call was made to a majority that nothing had changed for %v", settle)
	}
	return check.Verdict(a.Name(), violations, summary)
}

// gaveUpEarly reports whether a client did not wait for as long as the ring waits for a token: a token that
// gets lost on a network which loses some packets is sent again within that time.
func (a *Availability) gaveUpEarly(op *history.Operation, r *scenarios.Run) bool {
	return op.Outcome == history.Info && op.Error == workload.ErrTimeout.Error() &&
		r.Scenario.Network.Loss > 0 && r.Scenario.Workload.Timeout < r.Timescale.Of(a.Token)
}

// machineOfCall returns the machine that a client's operation on the store was sent to; false for others, and
// for watches, which may wait.
func (a *Availability) machineOfCall(op *history.Operation) (int, bool) {
	m := slices.Index(a.Machines, op.Node)
	return m, m >= 0 && op.F != workload.Watch && op.Process < workload.FirstActor &&
		(a.Others == nil || !a.Others(op.F))
}

// covered reports whether one of the spans contains all of another.
func covered(spans []check.Span, all check.Span) bool {
	return slices.ContainsFunc(spans, func(s check.Span) bool { return s.From <= all.From && all.To < s.To })
}

// isDisturbedByLeave reports whether any machine left in order in a span, which changes the ring of all, or
// one machine went down before it and was not switched on since.
func (a *Availability) isDisturbedByLeave(m env.MachineID, during check.Span) bool {
	return slices.ContainsFunc(a.leaves, func(l orderlyEnd) bool {
		return during.Contains(l.at) ||
			l.off && l.machine == m && l.at <= during.To && !a.power.Started(m, l.at, during.To)
	})
}

// isUnanswered reports whether no store answered an operation from the order: it could not, or nothing
// answered.
func isUnanswered(op *history.Operation) bool {
	switch op.Outcome {
	case history.OK:
		return false
	case history.Fail:
		return op.Error == workload.Refused || !isFromTheOrder(op.Error)
	}
	return op.Error != workload.Stopped
}
