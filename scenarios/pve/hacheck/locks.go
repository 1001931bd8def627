package hacheck

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// takeovers checks, by the store's order, that a lock passes to another holder only when it has not been
// renewed for its whole TTL, and that the configuration of a service is moved only by its own node's agent
// or by a master, in either case under the lock of that node.
type takeovers struct{}

// Name implements check.Check.
func (takeovers) Name() string { return "ha-takeover" }

// Judge implements check.Check.
func (t takeovers) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	ttl := minLockTTL(e)
	held := map[string]*storeChange{}
	for i := range e.storeChanges.changes {
		c := &e.storeChanges.changes[i]
		name, isLock := c.lockName()
		if !isLock {
			if v := missingProof(e, i, held); v != "" {
				violations = append(violations, linearizability.Violation{Kind: TakeoverWithoutLock,
					Revisions: []uint64{c.Rev}, Explain: v})
			}
			continue
		}
		before := held[name]
		held[name] = c
		if c.isDelete() {
			delete(held, name)
		}
		if before == nil || before.writer == c.writer {
			continue
		}
		if age := c.durableAt - before.durableAt; !c.isDelete() || age < ttl && !e.provenDead(before, c) {
			violations = append(violations, linearizability.Violation{Kind: EarlyTakeover,
				Revisions: []uint64{before.Rev, c.Rev}, Explain: fmt.Sprintf(
					"%s took %s at %v, only %v after %s had renewed it", c.writer, name, c.durableAt, age,
					before.writer)})
		}
	}
	return check.Verdict(t.Name(), violations, fmt.Sprintf(
		"no lock and no service was taken over without proof, in %d changes", len(e.storeChanges.changes)))
}

const (
	ppmWhole = 1_000_000
	// nodesClockPPM is by how much the times of records of real nodes may be off, as a part of a lock's TTL.
	nodesClockPPM = 10_000
)

// minLockTTL returns the shortest time, by the run's clock, after which a lock may be taken over: the process
// that takes it over measures the TTL with its machine's clock, which a fault may speed up.
func minLockTTL(e *Evidence) time.Duration {
	drift := e.health.MaxDrift()
	if e.run.Backend != simulated {
		drift += nodesClockPPM
	}
	ttl := e.scaledTime(lock.TTL)
	return ttl - ttl/ppmWhole*time.Duration(drift)
}

// missingProof explains what is wrong with a move of a service's configuration; "" when nothing is. held are
// the locks at that place of the order.
func missingProof(e *Evidence, at int, held map[string]*storeChange) string {
	c := &e.storeChanges.changes[at]
	sid, from := haspec.PlacementOf(c.Key)
	if c.To == "" || sid == "" || processOfWriter(c.writer) == haspec.OperatorProcess {
		return "" // what the operator does by hand needs no lock
	}
	holder := "no process"
	if h := held[haproc.AgentLock(from)]; h != nil {
		holder = h.writer
	}
	_, to := haspec.PlacementOf(c.To)
	m, exists := e.machineOfNode(from)
	own := exists && c.writer == e.Machines[m]+"/"+lrmProcess
	if (own || c.byMaster()) && holder == c.writer || c.byMaster() && exists &&
		priorFenceProof(e, at, sid, m) {
		return ""
	}
	return fmt.Sprintf("%s moved %s from %s to %s at %v, while %s held %s",
		c.writer, sid, from, to, c.durableAt, holder, haproc.AgentLock(from))
}

// priorFenceProof reports whether an earlier master had held the lock of a service's node, and the service
// has not run there since: what that master knew and wrote down is as good as holding the lock.
func priorFenceProof(e *Evidence, at int, sid string, m env.MachineID) bool {
	now, name := e.storeChanges.changes[at].durableAt, haproc.AgentLock(e.Nodes[m])
	for i := range e.storeChanges.changes[:at] {
		proof := &e.storeChanges.changes[i]
		if key, isLock := proof.lockName(); !isLock || key != name || proof.isDelete() || !proof.byMaster() {
			continue
		}
		if !slices.ContainsFunc(e.runIntervals, func(v check.Interval) bool {
			return v.Service == sid && v.Machine == m && v.From < now && v.To > proof.durableAt
		}) {
			return true
		}
	}
	return false
}
