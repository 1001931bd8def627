package hacheck

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// watchdogLog is what happened to the machines' watchdogs.
type watchdogLog struct {
	armChanges []watchdogChange
	resets     []reset
	lastExpiry map[env.MachineID]expiry // the last one since a machine is on
}

// watchdogChange is the opening or closing of a client's connection to a watchdog. Without a client it is a
// power change of the machine, which closes all connections.
type watchdogChange struct {
	machine   env.MachineID
	client    string
	armed     bool
	changedAt time.Duration
}

// reset is the end of a machine by its watchdog.
type reset struct {
	machine env.MachineID
	resetAt time.Duration
	expiry  expiry // zero when the hardware expired without a decision of the watchdog server
}

// expiry is why a watchdog server stopped renewing the hardware watchdog.
type expiry struct {
	client      string
	clientEnded bool // the client's process ended; else it was overdue
	expiredAt   time.Duration
}

// onConnectionChange takes the opening or closing of a client's connection.
func (l *watchdogLog) onConnectionChange(r scenarios.Stamped, rec watchdog.ConnectionChange) {
	l.armChanges = append(l.armChanges, watchdogChange{r.Machine, rec.Client, rec.Open, r.At})
}

// onPower takes a change of a machine's power.
func (l *watchdogLog) onPower(r scenarios.Stamped, rec scenarios.Power) {
	l.armChanges = append(l.armChanges, watchdogChange{machine: r.Machine, changedAt: r.At})
	if rec.On {
		return
	}
	if rec.Cause == scenarios.CauseWatchdog {
		l.resets = append(l.resets, reset{r.Machine, r.At, l.lastExpiry[r.Machine]})
	}
	delete(l.lastExpiry, r.Machine)
}

// armEarly is how long before a service arrives the agent that expects it may arm its watchdog.
const armEarly = time.Minute

// unneededWatchdogs finds machines that were exposed to a watchdog for nothing. A manager's is only needed
// while there are services at all, or commands for it, an agent's on a machine that had a service once, or
// was to get one. Where rules, balancing, maintenance and shutdowns may offer services to any node, every
// agent may have a reason.
func unneededWatchdogs(e *Evidence) (violations []linearizability.Violation) {
	anywhere := e.HA.Rules+e.HA.Groups != "" || strings.Contains(e.HA.Datacenter, "rebalance") ||
		strings.Contains(e.HA.Datacenter, "shutdown_policy=migrate") ||
		e.HA.ManagerStatus != "" ||
		slices.ContainsFunc(e.HA.Commands, func(c haspec.Command) bool {
			return strings.Contains(c.Run, "maintenance")
		})
	for _, w := range e.watchdogLog.armChanges {
		if !w.armed {
			continue
		}
		name := e.Nodes[w.machine]
		needed := anywhere || nodeConcerned(e, name, w.changedAt+e.scaledTime(armEarly))
		if w.client != lrmProcess {
			needed = len(e.storeChanges.placements) > 0 || e.HA.ManagerStatus != "" ||
				managerCommanded(e, w.changedAt)
		}
		if !needed {
			violations = append(violations, violationOf(name, IdleWatchdog,
				"at %v the watchdog of %s is armed for its %s although no service needs it",
				w.changedAt, name, w.client))
		}
	}
	return violations
}

// managerCommanded reports whether the operator had sent a master a command by an instant: a cluster without
// services needs a master for that.
func managerCommanded(e *Evidence, until time.Duration) bool {
	return slices.ContainsFunc(e.HA.Commands, func(c haspec.Command) bool {
		return c.Parsed().Verb == haspec.VerbCRM && e.commandDueAt(&c) <= until
	})
}

// nodeConcerned reports whether a node had been used by an instant: a service was configured there or
// ordered to move there, or a command of the operator named it. A service that could not start moves to any
// node.
func nodeConcerned(e *Evidence, node string, until time.Duration) bool {
	here := func(p placement) bool { return p.node == node && p.placedAt <= until }
	for _, placements := range e.storeChanges.placements {
		if slices.ContainsFunc(placements, here) {
			return true
		}
	}
	couldNotStart := func(f failedStart) bool { return f.failedAt <= until }
	return slices.ContainsFunc(wordsOfCommands(e), here) || e.orderLog.anyMoveTo(node, until) ||
		slices.ContainsFunc(e.orderLog.failedStarts, couldNotStart)
}

// wordsOfCommands are the words of the operator's commands, nodes among them, from when they were due.
func wordsOfCommands(e *Evidence) (named []placement) {
	for i := range e.HA.Commands {
		for _, word := range strings.Fields(e.HA.Commands[i].Run) {
			named = append(named, placement{e.commandDueAt(&e.HA.Commands[i]), word})
		}
	}
	return named
}

// idleAfter is how long the manager or an agent without services may keep its watchdog: 90 rounds of ten
// seconds, and some time for what else there was to do.
const idleAfter = 90*10*time.Second + 2*time.Minute

// idleWatchdogs finds watchdogs that stay armed although the operator removed the last service long ago, and
// nothing has happened since.
func idleWatchdogs(e *Evidence) (violations []linearizability.Violation) {
	done := e.operatorLog.actions
	if len(done) == 0 || !e.HA.EndsEmpty() {
		return nil
	}
	from := time.Duration(0)
	for last := done[len(done)-1].doneAt; last+e.scaledTime(idleAfter) > from; last = e.lastEvent(last,
		from) {
		from = last + e.scaledTime(idleAfter)
	}
	if from > e.run.Duration {
		return nil
	}
	type client struct {
		machine env.MachineID
		name    string
	}
	open := map[client]bool{}
	for _, w := range e.watchdogLog.armChanges {
		switch key := (client{w.machine, w.client}); {
		case w.changedAt > from:
		case w.client == "":
			maps.DeleteFunc(open, func(c client, _ bool) bool { return c.machine == w.machine })
		default:
			open[key] = w.armed
		}
	}
	for m, name := range e.Machines {
		for _, process := range []string{crmProcess, lrmProcess} {
			if open[client{env.MachineID(m), process}] {
				violations = append(violations, violationOf(name, IdleWatchdog,
					"at %v the watchdog of %s is still armed for its %s although there is no service",
					from, name, process))
			}
		}
	}
	return violations
}
