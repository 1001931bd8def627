package pve

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/daemon"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Kinds of violations of the HA manager that cost nobody data, only patience.
const (
	// Wandering: a service is moved again and again although nothing happens.
	Wandering linearizability.Kind = "service wanders"
	// NeedlessGuard: a watchdog can reset a machine that has nothing to guard.
	NeedlessGuard linearizability.Kind = "watchdog open for nothing"
	// IgnoredOperator: what the operator wanted was not taken.
	IgnoredOperator linearizability.Kind = "operator not heard"
)

// liveness notes what shows that the HA manager gets somewhere.
type liveness struct {
	moves  map[string][]time.Duration // sid -> when a move of it began
	guards []guardChange
	did    []time.Duration        // when the operator did something
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
	case daemon.CommandBegun:
		if ha.ServiceState(rec.State).Moving() {
			l.moves[rec.SID] = append(l.moves[rec.SID], r.At)
		}
	case watchdog.Guarded:
		l.guards = append(l.guards, guardChange{r.Machine, rec.Client, rec.On, r.At})
	case scenarios.Power:
		l.guards = append(l.guards, guardChange{machine: r.Machine, at: r.At})
		l.off[r.Machine] = l.off[r.Machine] || !rec.On
	case OperatorDid:
		l.did = append(l.did, r.At)
		if rec.What != filesInPlace {
			l.taken[r.Machine]++
		}
	}
}

func (l *liveness) check(w *haWatch, r *scenarios.Run) []linearizability.Violation {
	return slices.Concat(l.wandering(w, r), l.needlessGuards(w, r), l.ignored(w, r), l.down(w, r))
}

// mostMoves is how often a service may be moved after something that explains it, in machines: it
// may be tried on each, and go back.
const mostMoves = 2

// wandering: after the last fault, command or reset every service finds its place.
func (l *liveness) wandering(w *haWatch, r *scenarios.Run) (violations []linearizability.Violation) {
	limit := mostMoves * len(w.scenario.Machines)
	for _, sid := range slices.Sorted(maps.Keys(l.moves)) {
		count, since := 0, time.Duration(0)
		for _, at := range l.moves[sid] {
			if excused := l.lastEvent(w, r, since, at); excused > since {
				count, since = 0, excused
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

// lastEvent is the last instant between two at which something happened that makes services move.
func (l *liveness) lastEvent(w *haWatch, r *scenarios.Run, from, to time.Duration) time.Duration {
	last := w.lastExcuse(r, from, to)
	for _, at := range l.did {
		if at > last && at < to {
			last = at
		}
	}
	return last
}

// idleAfter is how long the manager or an agent without services may keep its watchdog: 90 rounds
// of ten seconds, and some for what else there was to do.
const idleAfter = 90*10*time.Second + 2*time.Minute

// needlessGuards: where nothing is configured, nothing is guarded, from the beginning or some time
// after the operator has taken the last service away.
func (l *liveness) needlessGuards(w *haWatch, r *scenarios.Run) (violations []linearizability.Violation) {
	from := time.Duration(0)
	if len(w.subject.spec.HA.Services)+len(w.subject.spec.HA.Commands) > 0 {
		if len(l.did) == 0 || !w.subject.spec.HA.endsEmpty() {
			return nil
		}
		for last := l.did[len(l.did)-1]; from == 0 || last > from-r.Timescale.Of(idleAfter); last = w.lastExcuse(r, last, from) {
			from = last + r.Timescale.Of(idleAfter)
		}
	}
	type key struct {
		machine env.MachineID
		client  string
	}
	open := map[key]bool{}
	complain := func(k key, at time.Duration) {
		violations = append(violations, linearizability.Violation{Kind: NeedlessGuard,
			Nodes: []string{w.scenario.Machines[k.machine]}, Explain: fmt.Sprintf(
				"at %v the watchdog of %s guards its %s although there is nothing to guard", at, w.scenario.Machines[k.machine], k.client)})
	}
	for _, g := range l.guards {
		if g.client == "" { // the machine lost its power or got it
			for k := range open {
				if k.machine == g.machine {
					delete(open, k)
				}
			}
			continue
		}
		k := key{g.machine, g.client}
		if g.on && g.at >= from {
			complain(k, g.at)
		}
		if g.on && g.at < from {
			open[k] = true
		} else {
			if open[k] && g.at > from {
				complain(k, from)
			}
			delete(open, k)
		}
	}
	if r.Duration > from {
		for m := range w.scenario.Machines {
			for _, client := range []string{daemon.CRMProcess, daemon.LRMProcess} {
				if k := (key{env.MachineID(m), client}); open[k] {
					complain(k, from)
				}
			}
		}
	}
	return violations
}

// endsEmpty: the operator has taken every service away in the end.
func (h *HASpec) endsEmpty() bool {
	left := map[string]bool{}
	for sid := range h.Services {
		left[sid] = true
	}
	for _, c := range h.Commands {
		switch words := strings.Fields(c.Run); words[0] {
		case "remove":
			delete(left, words[1])
		case "add":
			left[words[1]] = true
		}
	}
	return len(left) == 0
}

// ignored: what the operator wants is taken in time, unless faults stand in the way.
func (l *liveness) ignored(w *haWatch, r *scenarios.Run) (violations []linearizability.Violation) {
	spec := w.subject.spec.HA
	bound := spec.RecoverWithin
	if bound == 0 {
		bound = DefaultRecoverWithin
	}
	due := make([]int, len(w.scenario.Machines))
	for i := range spec.Commands {
		at := r.Timescale.Of(w.scenario.Warmup + spec.Commands[i].At)
		if r.Duration > w.lastExcuse(r, at, r.Duration)+r.Timescale.Of(bound) {
			due[slices.Index(w.scenario.Machines, spec.Commands[i].On)]++
		}
	}
	for m, name := range w.scenario.Machines {
		if id := env.MachineID(m); !l.off[id] && l.taken[id] < due[m] {
			violations = append(violations, linearizability.Violation{Kind: IgnoredOperator, Nodes: []string{name},
				Explain: fmt.Sprintf("of %d commands that the operator gave on %s in time only %d were taken", due[m], name, l.taken[id])})
		}
	}
	return violations
}

// down: services run when the scenario says that they must.
func (l *liveness) down(w *haWatch, r *scenarios.Run) (violations []linearizability.Violation) {
	up := w.subject.spec.HA.UpAt
	for _, sid := range slices.Sorted(maps.Keys(up)) {
		at := r.Timescale.Of(w.scenario.Warmup + up[sid])
		runs := func(s serviceSpan) bool { return s.from <= at && (s.to > at || s.to == 0) }
		if !slices.ContainsFunc(w.spansOf(sid), runs) {
			violations = append(violations, linearizability.Violation{Kind: LostService, Explain: fmt.Sprintf(
				"service %s does not run at %v", sid, at)})
		}
	}
	return violations
}
