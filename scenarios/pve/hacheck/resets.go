package hacheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/manager"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

const (
	// lockRenewMax is how long a healthy agent may take from one renewal of its lock to the next: it waits
	// 8 s for workers that do not end, pauses for 5 s, and writes.
	lockRenewMax = 17 * time.Second
	// masterDetectMax is how long a healthy master may take to notice that a node is there.
	masterDetectMax = 15 * time.Second
)

// resets checks that a machine is only reset, fenced or exposed to its watchdog when it has itself caused
// it, by a fault or a command that concerns it.
type resets struct{}

// Name implements check.Check.
func (resets) Name() string { return "ha-reset" }

// Judge implements check.Check.
func (c resets) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	var violations []linearizability.Violation
	unclear := 0
	for i := range e.watchdogLog.resets {
		z := &e.watchdogLog.resets[i]
		why, excused := whyUnjustified(e, z)
		if excused {
			unclear++
		}
		if why == "" {
			continue
		}
		name := e.Machines[z.machine]
		violations = append(violations, violationOf(name, UnjustifiedReset,
			"at %v the watchdog of %s resets it, and %s; %s", z.resetAt, name, why,
			recentFaults(e, z.resetAt)))
	}
	for _, f := range e.orderLog.fenceDecisions {
		if why := unjustifiedFence(e, f.node, f.decidedAt); why != "" {
			violations = append(violations, violationOf(f.node, UnjustifiedFence,
				"at %v the master fences %s, and %s; %s", f.decidedAt, f.node, why,
				recentFaults(e, f.decidedAt)))
		}
	}
	summary := fmt.Sprintf("%d machines were reset by their watchdogs, each for a reason",
		len(e.watchdogLog.resets))
	if unclear > 0 {
		summary += fmt.Sprintf("; %d of them while the network was not transitive, lost many packets, or "+
			"had a late machine", unclear)
	}
	v := check.Verdict(c.Name(), append(violations, unneededWatchdogs(e)...), summary)
	covered := e.health.ExcusedTime()
	v.Details = append(v.Details, covered.Lines()...)
	return v
}

// whyUnjustified explains why a reset has no reason; "" when it has one. unclear means that only a
// network that is not transitive, or has a late machine, excuses it.
func whyUnjustified(e *Evidence, z *reset) (why string, unclear bool) {
	switch {
	case z.expiry.client == "":
		return judgeWithoutServer(e, z), false
	case z.expiry.clientEnded:
		within := e.scaledTime(settleTime) + e.health.PausedFor(z.machine, watchdog.Process,
			z.expiry.expiredAt,
			e.scaledTime(2*watchdog.CheckPeriod))
		if e.health.Killed(z.machine, z.expiry.client, z.expiry.expiredAt, within) ||
			stuckShutdown(e, z.machine, z.expiry.expiredAt) {
			return "", false
		}
		return "its " + z.expiry.client + " ended by itself", false
	}
	name := e.Nodes[z.machine]
	from := z.expiry.expiredAt - e.scaledTime(watchdog.ClientTime)
	span := check.Span{From: from + e.scaledTime(lockRenewMax), To: z.expiry.expiredAt}
	good := func(p *check.Phase) bool {
		return p.InMajority[z.machine] && !p.Late[z.machine] &&
			!e.health.Stopped(z.machine, z.expiry.client, p.From) &&
			!e.health.Stopped(z.machine, watchdog.Process, p.From)
	}
	last, settled := e.health.settled(e, span, good)
	if !settled {
		_, clear := e.health.settled(e, span, func(p *check.Phase) bool { return good(p) || p.Unclear })
		return "", clear
	}
	// A node that the master has given up must not come back before it was reset.
	for _, f := range e.orderLog.fenceDecisions {
		if f.node == name && f.decidedAt < z.expiry.expiredAt &&
			f.decidedAt+frozenFor(e, z.machine, f.decidedAt, z.expiry.expiredAt) >
				from-e.scaledTime(watchdog.ResetTime) &&
			unjustifiedFence(e, name, f.decidedAt) == "" {
			return "", false
		}
	}
	if pausedBeyondLock(e, z, from) {
		return "", false
	}
	if lateNeighbor(e, z.machine, check.Span{From: from, To: z.expiry.expiredAt}) {
		return "", true
	}
	return fmt.Sprintf("its %s had no trouble until %v and for long before, but did not feed it since %v",
		z.expiry.client, last, from), false
}

// pausedBeyondLock reports whether a machine that was reset has stood still shortly before, for so long
// that others could take its lock: it must not come back before it was reset. from is when it was fed last.
func pausedBeyondLock(e *Evidence, z *reset, from time.Duration) bool {
	return slices.ContainsFunc(e.run.Applied, func(a scenarios.Applied) bool {
		return outlastsLock(e, &a) && e.health.Concerns(&a.Fault, z.machine) &&
			a.Begun[0] < z.expiry.expiredAt && e.health.EndOf(&a) >= from-e.scaledTime(settleTime)
	})
}

// judgeWithoutServer judges a reset that no watchdog server decided: the server itself did not run.
func judgeWithoutServer(e *Evidence, z *reset) string {
	hardware, slack := e.scaledTime(watchdog.HardwareTime), e.scaledTime(2*watchdog.CheckPeriod)
	for i := range e.run.Applied {
		a := &e.run.Applied[i]
		f := &a.Fault
		if !check.StopsProcesses(f.Kind) || !e.health.Concerns(f, z.machine) ||
			f.Process != "" && f.Process != watchdog.Process || a.Begun[1] == 0 || a.Begun[0] >= z.resetAt {
			continue
		}
		over := e.health.EndOf(a)
		killedAt := a.Begun[0]
		if f.AtDiskCall > 0 {
			killedAt = over // or before: at the disk call
		}
		pausedFor := min(over, z.resetAt) - a.Begun[0]
		// A frozen machine's watchdog stands still with it, so a freeze is no reason.
		if f.Kind == fault.Slow && over >= z.resetAt-hardware-slack ||
			f.Kind == fault.Kill &&
				z.resetAt-killedAt-frozenFor(e, z.machine, killedAt, z.resetAt) <= hardware+slack ||
			f.Kind == fault.Pause && pausedFor >= hardware-slack && over >= z.resetAt-slack {
			return ""
		}
	}
	if e.run.Backend != simulated {
		return "" // the last records of a machine may be lost with it
	}
	return "its watchdog was fed all the time"
}

// frozenFor returns how long a machine stood still with its hardware, and so with its watchdog, between two
// instants.
func frozenFor(e *Evidence, m env.MachineID, from, to time.Duration) (total time.Duration) {
	for i := range e.run.Applied {
		if a := &e.run.Applied[i]; a.Fault.Kind == fault.Freeze && e.health.Concerns(&a.Fault, m) {
			total += max(min(e.health.EndOf(a), to)-max(a.Begun[0], from), 0)
		}
	}
	return total
}

// stuckShutdown reports whether a machine was ordered to go down and runs a service that cannot be ended.
// Its agent then goes and leaves the rest to the watchdog.
func stuckShutdown(e *Evidence, m env.MachineID, at time.Duration) bool {
	if !slices.ContainsFunc(e.runningIntervals.All(), func(v check.Interval) bool {
		return v.Machine == m && e.HA.Flaws[v.Service].NoStop
	}) {
		return false
	}
	return slices.ContainsFunc(e.HA.Commands, func(c haspec.Command) bool {
		verb := c.Parsed().Verb
		return (verb == haspec.VerbShutdown || verb == haspec.VerbReboot) && c.On == e.Machines[m] &&
			e.commandDueAt(&c) <= at
	})
}

// unjustifiedFence explains why a node must not have been given up; "" when there was a reason.
func unjustifiedFence(e *Evidence, node string, at time.Duration) string {
	m, exists := e.machineOfNode(node)
	if !exists {
		return "there is no such machine"
	}
	from := at - e.scaledTime(manager.FenceDelaySeconds*time.Second)
	// A master that did not run takes that for the absence of nodes that are away when it continues.
	master, known := e.machineNamed(e.storeChanges.masterAt(at))
	last, settled := e.health.settled(e, check.Span{From: from + e.scaledTime(masterDetectMax), To: at},
		func(p *check.Phase) bool {
			return p.InMajority[m] && !p.Late[m] && (!known || managerRuns(p, master))
		})
	if !settled {
		return ""
	}
	return fmt.Sprintf("that node had no trouble until %v and for long before, so it was there after %v",
		last, from)
}

// recentFaults lists the faults that acted shortly before an instant.
func recentFaults(e *Evidence, at time.Duration) string {
	window := e.scaledTime(watchdog.ResetTime + time.Minute)
	var seen []string
	for i := range e.run.Applied {
		a := &e.run.Applied[i]
		from, to := max(a.Begun[0], at-window), min(e.health.EndOf(a), at)
		if a.Begun[1] == 0 || from >= to {
			continue
		}
		f := &a.Fault
		who := slices.Concat(append([][]string{f.Machines, f.From, f.To}, f.Groups...)...)
		seen = append(seen, strings.TrimSpace(fmt.Sprintf("%s %s of %s from %v to %v", f.Kind, f.Process,
			strings.Join(who, " "), a.Begun[0], e.health.EndOf(a))))
	}
	if len(seen) == 0 {
		return fmt.Sprintf("no fault within %v before", window)
	}
	return fmt.Sprintf("faults within %v before: %s", window, strings.Join(seen, ", "))
}
