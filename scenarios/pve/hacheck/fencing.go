package hacheck

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// fenceLog is what processes claim of fence devices, and what the devices did to machines.
type fenceLog struct {
	fenceClaims []fenceClaim
	switchedOff []switchedOff
}

// fenceClaim is a fencing that a process reported as started and, if confirmed is set, as confirmed.
type fenceClaim struct {
	claimedBy string // machine/process
	node      string
	version   uint64 // of the lock whose holder is fenced
	from, to  time.Duration
	confirmed bool
}

// switchedOff is an instant at which a device took a machine's power away, or kept it off.
type switchedOff struct {
	machine env.MachineID
	offAt   time.Duration
}

// observe takes the records of fencing.
func (f *fenceLog) observe(r scenarios.Stamped, machine string) {
	switch rec := r.Record.(type) {
	case fence.Started:
		f.fenceClaims = append(f.fenceClaims, fenceClaim{claimedBy: machine + "/" + r.Process, node: rec.Node,
			version: rec.Version, from: r.At})
	case fence.Ended:
		for i := len(f.fenceClaims) - 1; i >= 0; i-- {
			if c := &f.fenceClaims[i]; c.claimedBy == machine+"/"+r.Process && c.node == rec.Node {
				c.to, c.confirmed = r.At, rec.OK
				break
			}
		}
	}
}

// onSwitched takes what a device did to a machine's power.
func (f *fenceLog) onSwitched(r scenarios.Stamped, rec scenarios.Switched) {
	if !rec.On {
		f.switchedOff = append(f.switchedOff, switchedOff{r.Machine, r.At})
	}
}

// wasSwitched reports whether a device switched a machine off in a time.
func (f *fenceLog) wasSwitched(m env.MachineID, from, to time.Duration) bool {
	for _, s := range f.switchedOff {
		if s.machine == m && s.offAt >= from && s.offAt <= to {
			return true
		}
	}
	return false
}

// provenDead reports whether a lock may change its holder within the TTL, because the holder is dead:
// between the lock's last renewal and the takeover, the new holder has fenced the old holder's machine, the
// machine had no power, and (in the simulator, which records its devices) a fence device switched it off. A
// fencing that lasted as long as a machine needs to boot may also be of a machine that was off before, so no
// device had to switch it off; that is longer than the TTL, and counts where a takeover needs both proofs.
func (e *Evidence) provenDead(before, taken *storeChange) bool {
	m, exists := e.machineNamed(machineOfWriter(before.writer))
	if !exists {
		return false
	}
	for _, c := range e.fenceLog.fenceClaims {
		if !c.confirmed || c.claimedBy != taken.writer || c.version != before.Rev ||
			c.from < before.durableAt ||
			c.to > taken.durableAt ||
			c.node != e.Nodes[m] {
			continue
		}
		long := c.to-c.from >= fence.MinBootTime
		if e.powerLog.WasOff(m, c.from, c.to) && (e.run.Backend != simulated || long ||
			e.fenceLog.wasSwitched(m, c.from, c.to)) {
			return true
		}
	}
	return false
}

// fencing checks that confirmed fencings were of machines without power and, where the cluster is configured
// to need them, that no takeover happened without one.
type fencing struct{}

// Name implements check.Check.
func (fencing) Name() string { return "ha-fence" }

// Judge implements check.Check.
func (f fencing) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	confirmed := 0
	for _, c := range e.fenceLog.fenceClaims {
		if !c.confirmed {
			continue
		}
		confirmed++
		m, exists := e.machineOfNode(c.node)
		if !exists || !e.powerLog.WasOff(m, c.from, c.to) {
			violations = append(violations, violationOf(c.node, FalseFenceProof,
				"%s fenced %s from %v to %v and accepts it as "+
					"confirmed, but the machine had power all the time", c.claimedBy, c.node, c.from, c.to))
		}
	}
	if fencingNeedsBoth(e) {
		violations = append(violations, unfencedTakeovers(e)...)
	}
	return check.Verdict(f.Name(), violations, fmt.Sprintf(
		"%d of %d fencings were confirmed, each of a machine that was off", confirmed,
		len(e.fenceLog.fenceClaims)))
}

// fencingBoth is the value of fencing in datacenter.cfg with which the expiry of a lock is not enough for a
// takeover.
const fencingBoth = "both"

func fencingNeedsBoth(e *Evidence) bool {
	dc, err := config.ParseDatacenter(e.HA.Datacenter)
	return err == nil && dc.Fencing == fencingBoth
}

// unfencedTakeovers finds takeovers of agents' locks without a confirmed fencing before them.
func unfencedTakeovers(e *Evidence) (violations []linearizability.Violation) {
	held := map[string]*storeChange{}
	for i := range e.storeChanges.changes {
		c := &e.storeChanges.changes[i]
		name, isLock := c.lockName()
		if !isLock {
			continue
		}
		before := held[name]
		held[name] = c
		if c.isDelete() {
			delete(held, name)
		}
		if before == nil || before.writer == c.writer || processOfWriter(before.writer) != lrmProcess ||
			e.provenDead(before, c) {
			continue
		}
		violations = append(violations, linearizability.Violation{Kind: TakeoverWithoutFence,
			Revisions: []uint64{before.Rev, c.Rev}, Explain: fmt.Sprintf(
				"%s took %s from %s at %v, and no device had confirmed that the machine was off",
				c.writer, name, before.writer, c.durableAt)})
	}
	return violations
}
