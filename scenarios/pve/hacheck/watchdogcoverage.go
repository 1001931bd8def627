package hacheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// watchdogCoverage checks that what takes part in the HA manager can be reset: an agent that becomes
// active or begins to start or move a service, and a CRM that becomes the master, have an open connection
// to their machine's watchdog. An agent may close its connection with services running: when it stops,
// they are frozen.
type watchdogCoverage struct {
	Cluster
	open       map[guardedClient]bool
	closed     map[guardedClient]bool // in order, since the process last emitted its state
	entered    int
	violations []linearizability.Violation
}

// guardedClient is a process of a machine that the watchdog can reset the machine for.
type guardedClient struct {
	machine env.MachineID
	process string
}

func newWatchdogCoverageCheck(c Cluster) *watchdogCoverage {
	return &watchdogCoverage{Cluster: c, open: map[guardedClient]bool{}, closed: map[guardedClient]bool{}}
}

// Name implements check.Check.
func (*watchdogCoverage) Name() string { return "ha-guarded" }

// Observe implements check.Observer.
func (g *watchdogCoverage) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case watchdog.ConnectionChange:
		client := guardedClient{r.Machine, rec.Client}
		g.open[client], g.closed[client] = rec.Open, !rec.Open
	case scenarios.Power:
		delete(g.open, guardedClient{r.Machine, lrmProcess})
		delete(g.open, guardedClient{r.Machine, crmProcess})
	case haproc.LRMStateChange:
		g.onState(r, lrmProcess, rec.State == ha.LRMActive, "becomes active")
	case haproc.CommandBegun:
		switch rec.State {
		case ha.Started, ha.Migrate, ha.Relocate: // with all others a guest can begin to run nowhere
			g.requireOpenWatchdog(r, lrmProcess, fmt.Sprintf("begins to bring %s to %s", rec.SID, rec.State))
		}
	case haproc.CRMStateChange:
		g.onState(r, crmProcess, rec.State == ha.CRMMaster && !g.mayBeDisarmed(), "becomes the master")
	}
}

// onState takes the state of a process, which it emits at the end of a round. Where it closed its connection
// in order in that round, it got its lock back only to end, and is at work no longer.
func (g *watchdogCoverage) onState(r scenarios.Stamped, process string, works bool, what string) {
	client := guardedClient{r.Machine, process}
	if works && !g.closed[client] {
		g.requireOpenWatchdog(r, process, what)
	}
	delete(g.closed, client)
}

// mayBeDisarmed reports whether the operator disarms the HA manager at some time, or that it begins disarmed:
// a master needs no watchdog then.
func (g *watchdogCoverage) mayBeDisarmed() bool {
	return strings.Contains(g.HA.ManagerStatus, "disarm") ||
		slices.ContainsFunc(g.HA.Commands, func(c haspec.Command) bool {
			return strings.Contains(c.Run, "disarm")
		})
}

// requireOpenWatchdog notes a violation unless a process has an open connection to the watchdog.
func (g *watchdogCoverage) requireOpenWatchdog(r scenarios.Stamped, process, what string) {
	g.entered++
	if g.open[guardedClient{r.Machine, process}] || len(g.violations) > 0 {
		return
	}
	name := g.Nodes[r.Machine]
	g.violations = append(g.violations, violationOf(name, Unguarded,
		"at %v the %s of %s %s without an open connection to the watchdog", r.At, process, name, what))
}

// Judge implements check.Check.
func (g *watchdogCoverage) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	if e.run.Backend != simulated {
		return check.Verdict(g.Name(), nil, "not judged on real nodes: the last records before a reset are "+
			"lost, and the order of the records of two processes is not known")
	}
	return check.Verdict(g.Name(), g.violations, fmt.Sprintf(
		"a watchdog guarded each of %d times that an agent or a master began to work", g.entered))
}
