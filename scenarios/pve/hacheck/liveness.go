package hacheck

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// liveness finds what loses no data but availability: services that are moved again and again, watchdogs that
// stay armed without services, commands that are not taken, services that are not up when the scenario
// requires it, and nodes that do not exist.
type liveness struct{}

// Name implements check.Check.
func (liveness) Name() string { return "ha-liveness" }

// Judge implements check.Check.
func (c liveness) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	return check.Verdict(c.Name(),
		slices.Concat(flappingServices(e), idleWatchdogs(e), ignoredCommands(e), notUpAt(e), phantomNodes(e)),
		"no service bounced, no operator command was ignored, no watchdog stayed armed without services")
}

// movesPerMachine is how often a service may be moved after something that explains it, for each machine: it
// may be tried on each, and go back.
const movesPerMachine = 2

// flappingServices finds services that do not find their place after the last fault, command or reset.
// Where the scenario lets a number of moves fail before one succeeds, each move may be tried that often.
func flappingServices(e *Evidence) (violations []linearizability.Violation) {
	for _, sid := range slices.Sorted(maps.Keys(e.orderLog.moveStarts)) {
		if haspec.HasCommand(e.HA.Commands, haspec.VerbLock, sid, "") {
			continue // a locked guest cannot move, and each move fails
		}
		limit := movesPerMachine * len(e.Machines) * (1 + e.HA.Flaws[sid].Moves)
		count, since := 0, time.Duration(0)
		for _, at := range e.orderLog.moveStarts[sid] {
			if last := max(e.lastEvent(since, at), e.lastRequest(sid, since, at)); last > since {
				count, since = 0, last
			}
			if count++; count > limit {
				violations = append(violations, violationOfKind(FlappingService,
					"service %s is moved for the %dth time at %v although nothing has happened since %v",
					sid, count, at, since))
				break
			}
		}
	}
	return violations
}

// lastRequest returns when a client last requested something of a service in a time; 0 when none did.
func (e *Evidence) lastRequest(sid string, from, to time.Duration) (last time.Duration) {
	for _, r := range requestsOf(e.run.Events) {
		if r.SID == sid && r.From > from && r.From <= to {
			last = max(last, r.From)
		}
	}
	return last
}

// ignoredCommands finds machines on which fewer commands were taken than the operator gave in time, unless
// faults stand in the way, or so many machines were shut down that nothing can be written.
func ignoredCommands(e *Evidence) (violations []linearizability.Violation) {
	due := make([]int, len(e.Machines))
	for i := range e.HA.Commands {
		c := &e.HA.Commands[i]
		m, exists := e.machineNamed(c.On)
		if exists && !mayNeverSucceed(e.HA, c) &&
			e.run.Duration > e.lastEvent(e.commandDueAt(c), e.run.Duration)+e.recoveryBound() {
			due[m]++
		}
	}
	end := e.health.At(e.run.Duration - 1)
	for m, name := range e.Machines {
		id, taken := env.MachineID(m), e.operatorLog.commandsOn(name)
		if taken < due[m] && (end.InMajority[m] || !end.Present[m]) && !e.powerLog.LostPower(id) &&
			!e.health.Killed(id, haspec.OperatorProcess, e.run.Duration, e.run.Duration) {
			violations = append(violations, violationOf(name, IgnoredCommand,
				"of %d commands that the operator gave on %s in time only %d were taken",
				due[m], name, taken))
		}
	}
	return violations
}

// mayNeverSucceed reports whether a command may never succeed: it sets something of a service that another
// command removes, or creates a guest with the number of another guest.
func mayNeverSucceed(spec *haspec.Spec, c *haspec.Command) bool {
	p := c.Parsed()
	switch p.Verb {
	case haspec.VerbSet:
		return haspec.HasCommand(spec.Commands, haspec.VerbRemove, p.SID, "")
	case haspec.VerbCreate:
		for i := range spec.Commands {
			o := spec.Commands[i].Parsed()
			if &spec.Commands[i] != c && o.Verb == haspec.VerbCreate &&
				guestNumber(o.SID) == guestNumber(p.SID) {
				return true
			}
		}
	}
	return false
}

// guestNumber returns the number in the id of a service, which all kinds of guests share.
func guestNumber(sid string) string {
	_, number, _ := strings.Cut(sid, ":")
	return number
}

// notUpAt finds services that do not run at a time at which the scenario requires it.
func notUpAt(e *Evidence) (violations []linearizability.Violation) {
	for _, sid := range slices.Sorted(maps.Keys(e.HA.UpAt)) {
		at := e.scaledTime(e.Warmup + e.HA.UpAt[sid])
		up := func(v check.Interval) bool { return v.Service == sid && v.Contains(at) }
		if !slices.ContainsFunc(e.runIntervals, up) {
			violations = append(violations, lostService("service %s does not run at %v", sid, at))
		}
	}
	return violations
}

// phantomNodes finds nodes in the manager's status that do not exist, except those that an earlier master
// left there.
func phantomNodes(e *Evidence) (violations []linearizability.Violation) {
	status := e.finalStatus()
	if status == nil {
		return nil
	}
	for _, node := range slices.Sorted(maps.Keys(status.NodeStatus)) {
		if !slices.Contains(e.Nodes, node) && !strings.Contains(e.HA.ManagerStatus, node) {
			violations = append(violations, violationOfKind(PhantomNode,
				"the manager counts a node %s as %s, which the cluster does not have", node,
				status.NodeStatus[node]))
		}
	}
	return violations
}
