package hacheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// guarded checks that what takes part in the HA manager can be reset: an agent that becomes active or begins
// to start or move a service, and a CRM that becomes the master, have an open connection to their machine's
// watchdog. An agent may close its connection with services running: when it stops, they are frozen.
type guarded struct {
	Cluster
	open       map[guardedClient]bool
	closedAt   map[guardedClient]time.Duration // in order, the last time
	entered    int
	violations []linearizability.Violation
}

// endingRound is how long the last round of a process may take that ends in order: it emits its state at the
// end of the round.
const endingRound = time.Second

// ends reports whether a process has just closed its connection in order: it got its lock back only to end.
func (g *guarded) ends(r scenarios.Stamped, process string) bool {
	closedAt, closed := g.closedAt[guardedClient{r.Machine, process}]
	return closed && r.At-closedAt < endingRound
}

// guardedClient is a process of a machine that the watchdog can reset the machine for.
type guardedClient struct {
	machine env.MachineID
	process string
}

func newGuarded(c Cluster) *guarded {
	return &guarded{Cluster: c, open: map[guardedClient]bool{},
		closedAt: map[guardedClient]time.Duration{}}
}

// Name implements check.Check.
func (*guarded) Name() string { return "ha-guarded" }

// Observe implements check.Observer.
func (g *guarded) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case watchdog.ConnectionChange:
		client := guardedClient{r.Machine, rec.Client}
		if g.open[client] = rec.Open; !rec.Open {
			g.closedAt[client] = r.At
		}
	case scenarios.Power:
		delete(g.open, guardedClient{r.Machine, lrmProcess})
		delete(g.open, guardedClient{r.Machine, crmProcess})
	case haproc.LRMStateChange:
		if rec.State == ha.LRMActive && !g.ends(r, lrmProcess) {
			g.require(r, lrmProcess, "becomes active")
		}
	case haproc.CommandBegun:
		switch rec.State {
		case ha.Started, ha.Migrate, ha.Relocate: // with all others a guest can begin to run nowhere
			g.require(r, lrmProcess, fmt.Sprintf("begins to bring %s to %s", rec.SID, rec.State))
		}
	case haproc.CRMStateChange:
		if rec.State == ha.CRMMaster && !g.ends(r, crmProcess) && !g.disarmable() {
			g.require(r, crmProcess, "becomes the master")
		}
	}
}

// disarmable reports whether the operator disarms the HA manager at some time: a master needs no watchdog
// then.
func (g *guarded) disarmable() bool {
	return strings.Contains(g.HA.ManagerStatus, "disarm") ||
		slices.ContainsFunc(g.HA.Commands, func(c haspec.Command) bool {
			return strings.Contains(c.Run, "disarm")
		})
}

// require notes a violation unless a process has an open connection to the watchdog.
func (g *guarded) require(r scenarios.Stamped, process, what string) {
	g.entered++
	if g.open[guardedClient{r.Machine, process}] || len(g.violations) > 0 {
		return
	}
	name := g.Nodes[r.Machine]
	g.violations = append(g.violations, violationOf(name, Unguarded,
		"at %v the %s of %s %s without an open connection to the watchdog", r.At, process, name, what))
}

// Judge implements check.Check.
func (g *guarded) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	if e.run.Backend != simulated {
		return check.Verdict(g.Name(), nil, "not judged on real nodes: the last records before a reset are "+
			"lost, and the order of the records of two processes is not known")
	}
	return check.Verdict(g.Name(), g.violations, fmt.Sprintf(
		"a watchdog guarded each of %d times that an agent or a master began to work", g.entered))
}
