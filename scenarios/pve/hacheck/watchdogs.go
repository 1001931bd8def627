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
	changes []watchdogChange
	resets  []reset
	expired map[env.MachineID]expiry // the last one since a machine is on
}

// watchdogChange is the opening or closing of a client's connection to a watchdog. Without a client it is a
// power change of the machine, which closes all connections.
type watchdogChange struct {
	machine env.MachineID
	client  string
	armed   bool
	at      time.Duration
}

// reset is the end of a machine by its watchdog.
type reset struct {
	machine env.MachineID
	at      time.Duration
	expiry  expiry // zero when the hardware expired without a decision of the watchdog server
}

// expiry is why a watchdog server stopped renewing the hardware watchdog.
type expiry struct {
	client string
	gone   bool // the client's process ended; else it was overdue
	at     time.Duration
}

// guarded takes the opening or closing of a client's connection.
func (l *watchdogLog) guarded(r scenarios.Stamped, rec watchdog.ConnectionChange) {
	l.changes = append(l.changes, watchdogChange{r.Machine, rec.Client, rec.Open, r.At})
}

// power takes a change of a machine's power.
func (l *watchdogLog) power(r scenarios.Stamped, rec scenarios.Power) {
	l.changes = append(l.changes, watchdogChange{machine: r.Machine, at: r.At})
	if rec.On {
		return
	}
	if rec.Cause == scenarios.CauseWatchdog {
		l.resets = append(l.resets, reset{r.Machine, r.At, l.expired[r.Machine]})
	}
	delete(l.expired, r.Machine)
}

// armEarly is how long before a service arrives the agent that expects it may arm its watchdog.
const armEarly = time.Minute

// unneededWatchdogs finds machines that were exposed to a watchdog for nothing. A manager's is only needed
// while there are services at all, or commands for it, an agent's on a machine that had a service once, or
// was to get one. Where rules, balancing and maintenance may offer services to any node, every agent may
// have a reason.
func unneededWatchdogs(e *Evidence) (violations []linearizability.Violation) {
	anywhere := e.HA.Rules+e.HA.Groups != "" || strings.Contains(e.HA.Datacenter, "rebalance") ||
		e.HA.ManagerStatus != "" ||
		slices.ContainsFunc(e.HA.Commands, func(c haspec.Command) bool {
			return strings.Contains(c.Run, "maintenance")
		})
	for _, w := range e.watchdogs.changes {
		if !w.armed {
			continue
		}
		name := e.Nodes[w.machine]
		needed := anywhere || nodeConcerned(e, name, w.at+e.scaled(armEarly))
		if w.client != lrmProcess {
			needed = len(e.storeChanges.placements) > 0 || e.HA.ManagerStatus != "" ||
				managerCommanded(e, w.at)
		}
		if !needed {
			violations = append(violations, violationOf(name, IdleWatchdog,
				"at %v the watchdog of %s is armed for its %s although no service needs it",
				w.at, name, w.client))
		}
	}
	return violations
}

// managerCommanded reports whether the operator had sent a master a command by an instant: a cluster without
// services needs a master for that.
func managerCommanded(e *Evidence, until time.Duration) bool {
	return slices.ContainsFunc(e.HA.Commands, func(c haspec.Command) bool {
		return c.Parsed().Verb == haspec.VerbCRM && e.due(&c) <= until
	})
}

// nodeConcerned reports whether a node had been used by an instant: a service was configured there or ordered
// to move there, or a command of the operator named it.
func nodeConcerned(e *Evidence, node string, until time.Duration) bool {
	here := func(p placement) bool { return p.node == node && p.at <= until }
	for _, placements := range e.storeChanges.placements {
		if slices.ContainsFunc(placements, here) {
			return true
		}
	}
	return slices.ContainsFunc(namedByOperator(e), here) || e.decisions.cameTo(node, until)
}

// namedByOperator are the words of the operator's commands, nodes among them, from when they were due.
func namedByOperator(e *Evidence) (named []placement) {
	for i := range e.HA.Commands {
		for _, word := range strings.Fields(e.HA.Commands[i].Run) {
			named = append(named, placement{e.due(&e.HA.Commands[i]), word})
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
	done := e.operator.done
	if len(done) == 0 || !e.HA.EndsEmpty() {
		return nil
	}
	from := time.Duration(0)
	for last := done[len(done)-1].at; last+e.scaled(idleAfter) > from; last = e.lastEvent(last, from) {
		from = last + e.scaled(idleAfter)
	}
	if from > e.run.Duration {
		return nil
	}
	type client struct {
		machine env.MachineID
		name    string
	}
	open := map[client]bool{}
	for _, w := range e.watchdogs.changes {
		switch key := (client{w.machine, w.client}); {
		case w.at > from:
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
