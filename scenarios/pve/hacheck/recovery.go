package hacheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// recovery checks that no service that must run is down for longer than recovery may take, counted from the
// last thing that concerns it: its own node, the master's, quorum, the desired state of it, and rules that
// leave it no node.
type recovery struct{}

// Name implements check.Check.
func (recovery) Name() string { return "ha-recovery" }

// Judge implements check.Check.
func (c recovery) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	sids := slices.Sorted(maps.Keys(e.desired.services))
	switch {
	case e.operatorLog.filesInPlaceAt > 0:
		for _, sid := range sids {
			violations = append(violations, unexcusedOutages(e, sid)...)
		}
		for _, sid := range slices.Sorted(maps.Keys(e.HA.EndsOn)) {
			if on := e.machinesAtEndOf(sid); on != e.HA.EndsOn[sid] {
				violations = append(violations, lostService("service %s runs on %q at the end, not on %s",
					sid, on,
					e.HA.EndsOn[sid]))
			}
		}
	case len(sids) > 0:
		violations = append(violations,
			lostService("the operator could not put the files into place in the whole run"))
	}
	return check.Verdict(c.Name(), violations, "every service that had to run was up or came back in time")
}

// unexcusedOutages are the outages of a service that lasted longer than recovery may take.
func unexcusedOutages(e *Evidence, sid string) (violations []linearizability.Violation) {
	if e.HA.NeverStarts(sid) {
		return nil
	}
	for _, outage := range e.outagesOf(sid) {
		if why := describeUnexcusedPart(e, sid, outage); why != "" {
			violations = append(violations, lostService("service %s was down from %v to %v: %s", sid,
				outage.From,
				outage.To, why))
		}
	}
	return violations
}

// describeUnexcusedPart describes the first part of an outage that is longer than the bound and that nothing
// excuses; "" when there is none.
func describeUnexcusedPart(e *Evidence, sid string, outage check.Span) string {
	at := breakpoints(e, sid, outage)
	since, why := outage.From, "it ended"
	for i, from := range at[:len(at)-1] {
		if reason := restartReason(e, sid, from); reason != "" && i > 0 {
			since, why = from, reason
		}
		until := at[i+1]
		if reason := blockedReason(e, sid, from); reason != "" {
			since, why = until, reason+" until then"
		}
		if bound := e.recoveryBound() + lockGrace(e, sid, since, until); until-since > bound {
			return fmt.Sprintf("recovery may take %v, and nothing that concerns it has happened since %v "+
				"(%s); it is configured on %q", bound, since, why, e.storeChanges.placementOf(sid, from))
		}
	}
	return ""
}

// lockGrace returns the additional time for the recovery of a service that stays on a node which the master
// has proved dead in that time.
func lockGrace(e *Evidence, sid string, from, to time.Duration) time.Duration {
	if _, waits := agentGetsLock(e, sid, from, to); waits {
		return e.scaledTime(lock.TTL)
	}
	return 0
}

// agentGetsLock returns when the agent of a service's node can get its lock, if a master took that lock
// after from and before to. The master takes it as the proof of the node's death and does not release it, so
// an agent of a node on which the service stays all the same gets it only after the TTL.
func agentGetsLock(e *Evidence, sid string, from, to time.Duration) (at time.Duration, waits bool) {
	for i := range e.storeChanges.changes {
		c := &e.storeChanges.changes[i]
		node := e.storeChanges.placementOf(sid, c.durableAt)
		if c.durableAt <= from || c.durableAt >= to || !c.byMaster() || c.isDelete() ||
			c.Key != lock.Dir+"/"+haproc.AgentLock(node) {
			continue
		}
		expires := c.durableAt + e.scaledTime(lock.TTL)
		if e.storeChanges.placementOf(sid, min(expires, to)-1) == node {
			at, waits = expires, true
		}
	}
	return at, waits
}

// breakpoints are the instants of an outage at which something may change for a service, with its beginning
// and its end.
func breakpoints(e *Evidence, sid string, outage check.Span) []time.Duration {
	at := slices.Concat(check.Edges(e.desired.notRequired[sid]), check.Edges(e.desired.disarmedSpans))
	for i := range e.health.Phases {
		at = append(at, e.health.Phases[i].From)
	}
	for _, p := range slices.Concat(e.storeChanges.placements[sid], e.storeChanges.masterPlacements) {
		at = append(at, p.placedAt)
	}
	for _, node := range e.Nodes {
		at = append(at, check.Edges(e.desired.maintenanceSpans[node])...)
	}
	for _, f := range e.orderLog.failedStarts {
		if f.sid == sid {
			at = append(at, f.failedAt)
		}
	}
	at = slices.DeleteFunc(at, func(t time.Duration) bool { return t <= outage.From || t >= outage.To })
	at = append(at, outage.From, outage.To)
	slices.Sort(at)
	return slices.Compact(at)
}
