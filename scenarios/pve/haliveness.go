package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Kinds of violations of the HA manager that cost nobody data, only patience.
const (
	// Wandering: a service is moved again and again although nothing happens.
	Wandering linearizability.Kind = "service wanders"
	// NeedlessGuard: a watchdog can reset a machine that has nothing to guard.
	NeedlessGuard linearizability.Kind = "watchdog open for nothing"
	// IgnoredOperator: what the operator wanted was not taken.
	IgnoredOperator linearizability.Kind = "operator not heard"
	// PhantomNode: the manager looks after a node that does not exist.
	PhantomNode linearizability.Kind = "node that does not exist"
)

// liveness notes what shows that the HA manager gets somewhere.
type liveness struct {
	moves  map[string][]time.Duration // sid -> when a move of it began
	guards []guardChange
	taken  map[env.MachineID]int  // the commands that were taken on a machine
	off    map[env.MachineID]bool // machines that lost their power, and the operator with it
}

// guardChange is a watchdog connection that was opened or closed.
type guardChange struct {
	machine env.MachineID
	client  string
	on      bool
	at      time.Duration
}

func newLiveness() liveness {
	return liveness{moves: map[string][]time.Duration{}, taken: map[env.MachineID]int{}, off: map[env.MachineID]bool{}}
}

func (l *liveness) record(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case haproc.CommandBegun:
		if ha.ServiceState(rec.State).Moving() {
			l.moves[rec.SID] = append(l.moves[rec.SID], r.At)
		}
	case watchdog.Guarded:
		l.guards = append(l.guards, guardChange{r.Machine, rec.Client, rec.On, r.At})
	case scenarios.Power:
		l.guards = append(l.guards, guardChange{machine: r.Machine, at: r.At})
		l.off[r.Machine] = l.off[r.Machine] || !rec.On
	case haspec.OperatorDid:
		if rec.What != haspec.FilesInPlace {
			l.taken[r.Machine]++
		}
	}
}

func (l *liveness) check(j *haJudge) []linearizability.Violation {
	return slices.Concat(l.wandering(j), l.guardsLeft(j), l.ignored(j), l.down(j), l.phantoms(j))
}

// mostMoves is how often a service may be moved after something that explains it, in machines: it
// may be tried on each, and go back.
const mostMoves = 2

// wandering: after the last fault, command or reset every service finds its place.
func (l *liveness) wandering(j *haJudge) (violations []linearizability.Violation) {
	limit := mostMoves * len(j.scenario.Machines)
	for _, sid := range slices.Sorted(maps.Keys(l.moves)) {
		count, since := 0, time.Duration(0)
		for _, at := range l.moves[sid] {
			if last := l.lastEvent(j, since, at); last > since {
				count, since = 0, last
			}
			if count++; count > limit {
				violations = append(violations, linearizability.Violation{Kind: Wandering, Explain: fmt.Sprintf(
					"service %s is moved for the %dth time at %v although nothing has happened since %v", sid, count, at, since)})
				break
			}
		}
	}
	return violations
}

// lastEvent is the last instant between two at which something happened that may concern anybody:
// a fault's beginning or end, power that came or went, or what the operator did.
func (l *liveness) lastEvent(j *haJudge, from, to time.Duration) time.Duration {
	last := from
	event := func(at time.Duration) {
		if at > last && at < to {
			last = at
		}
	}
	for i := range j.run.Applied {
		event(j.run.Applied[i].Begun[1])
		event(j.run.Applied[i].Ended[1])
	}
	for _, p := range j.power {
		event(p.at)
	}
	for _, d := range j.did {
		event(d.at)
	}
	return last
}

// idleAfter is how long the manager or an agent without services may keep its watchdog: 90 rounds
// of ten seconds, and some for what else there was to do.
const idleAfter = 90*10*time.Second + 2*time.Minute

// guardsLeft: some quiet time after the operator has taken the last service away, no watchdog
// guards anything any more.
func (l *liveness) guardsLeft(j *haJudge) (violations []linearizability.Violation) {
	if len(j.did) == 0 || !j.subject.spec.HA.EndsEmpty() {
		return nil
	}
	from := time.Duration(0)
	for last := j.did[len(j.did)-1].at; last+j.scaled(idleAfter) > from; last = l.lastEvent(j, last, from) {
		from = last + j.scaled(idleAfter)
	}
	open := map[guard]bool{}
	for _, g := range l.guards {
		key := guard{machine: g.machine, client: g.client}
		switch {
		case g.at > from:
		case g.client == "": // the machine lost its power or got it
			maps.DeleteFunc(open, func(k guard, _ bool) bool { return k.machine == g.machine })
		case g.on:
			open[key] = true
		default:
			delete(open, key)
		}
	}
	if from > j.run.Duration {
		return nil
	}
	for m, name := range j.scenario.Machines {
		for _, client := range []string{haproc.CRMProcess, haproc.LRMProcess} {
			if open[guard{machine: env.MachineID(m), client: client}] {
				violations = append(violations, linearizability.Violation{Kind: NeedlessGuard, Nodes: []string{name},
					Explain: fmt.Sprintf("at %v the watchdog of %s still guards its %s although there is nothing to guard",
						from, name, client)})
			}
		}
	}
	return violations
}

// ignored: what the operator wants is taken in time, unless faults stand in the way.
func (l *liveness) ignored(j *haJudge) (violations []linearizability.Violation) {
	spec := j.subject.spec.HA
	due := make([]int, len(j.scenario.Machines))
	for i := range spec.Commands {
		at := j.scaled(j.scenario.Warmup + spec.Commands[i].At)
		if hopelessCommand(spec, spec.Commands[i].Run) {
			continue
		}
		if j.run.Duration > l.lastEvent(j, at, j.run.Duration)+j.bound() {
			due[slices.Index(j.scenario.Machines, spec.Commands[i].On)]++
		}
	}
	for m, name := range j.scenario.Machines {
		if id := env.MachineID(m); !l.off[id] && !j.killed(id, haspec.OperatorProcess, j.run.Duration, j.run.Duration) && l.taken[id] < due[m] {
			violations = append(violations, linearizability.Violation{Kind: IgnoredOperator, Nodes: []string{name},
				Explain: fmt.Sprintf("of %d commands that the operator gave on %s in time only %d were taken", due[m], name, l.taken[id])})
		}
	}
	return violations
}

// hopelessCommand: setting something of a service that may have been removed cannot succeed.
func hopelessCommand(spec *haspec.Spec, line string) bool {
	words := strings.Fields(line)
	return words[0] == "set" && slices.ContainsFunc(spec.Commands, func(c haspec.Command) bool { return c.Run == "remove "+words[1] })
}

// down: services run when the scenario says that they must.
func (l *liveness) down(j *haJudge) (violations []linearizability.Violation) {
	up := j.subject.spec.HA.UpAt
	for _, sid := range slices.Sorted(maps.Keys(up)) {
		at := j.scaled(j.scenario.Warmup + up[sid])
		runs := func(l life) bool { return l.sid == sid && l.from <= at && at < l.to }
		if !slices.ContainsFunc(j.ended(), runs) {
			violations = append(violations, lost("service %s does not run at %v", sid, at))
		}
	}
	return violations
}

// phantoms: the manager knows no nodes that do not exist.
func (l *liveness) phantoms(j *haJudge) (violations []linearizability.Violation) {
	status := j.status()
	if status == nil {
		return nil
	}
	for _, node := range slices.Sorted(maps.Keys(status.NodeStatus)) {
		if !slices.Contains(j.nodes, node) && !strings.Contains(j.subject.spec.HA.ManagerStatus, node) {
			violations = append(violations, linearizability.Violation{Kind: PhantomNode, Explain: fmt.Sprintf(
				"the manager counts a node %s as %s, which the cluster does not have", node, status.NodeStatus[node])})
		}
	}
	return violations
}
