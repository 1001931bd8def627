package pve

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// bound is how long recovery may take.
func (j *haJudge) bound() time.Duration {
	bound := j.subject.spec.HA.RecoverWithin
	if bound == 0 {
		bound = haspec.DefaultRecoverWithin
	}
	return j.scaled(bound)
}

func lost(format string, args ...any) linearizability.Violation {
	return linearizability.Violation{Kind: LostService, Explain: fmt.Sprintf(format, args...)}
}

// checkServices: no service that is to run is down for longer than recovery may take, counted from
// the last thing that concerns it: its own node, the master's, quorum, the operator's wishes for
// it, and rules that leave it no node.
func (j *haJudge) checkServices() (violations []linearizability.Violation) {
	spec := j.subject.spec.HA
	w := j.wishes
	sids := slices.Sorted(maps.Keys(w.services))
	if j.inPlace == 0 {
		if len(sids) > 0 {
			violations = append(violations, lost("the operator could not put the files into place in the whole run"))
		}
		return violations
	}
	for _, sid := range sids {
		if spec.NeverStarts(sid) {
			continue
		}
		for _, down := range j.downs(sid) {
			if v := j.calm(w, sid, down); v != "" {
				violations = append(violations, lost("service %s was down from %v to %v: %s", sid, down.from, down.to, v))
			}
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(spec.EndsOn)) {
		if on := j.names(j.active[sid]); on != spec.EndsOn[sid] {
			violations = append(violations, lost("service %s runs on %q in the end, not on %s", sid, on, spec.EndsOn[sid]))
		}
	}
	return violations
}

// downs are the times in which a service ran nowhere.
func (j *haJudge) downs(sid string) (downs []span) {
	lives := slices.DeleteFunc(j.ended(), func(l life) bool { return l.sid != sid })
	slices.SortFunc(lives, func(a, b life) int { return cmp.Compare(a.from, b.from) })
	last := time.Duration(0)
	for _, l := range append(lives, life{from: j.run.Duration, to: forever}) {
		if l.from > last {
			downs = append(downs, span{last, l.from})
		}
		last = max(last, l.to)
	}
	return downs
}

// calm looks for a part of a time of being down in which nothing excuses it, longer than the bound.
func (j *haJudge) calm(w *wishes, sid string, down span) string {
	moments := j.moments(w, sid, down)
	begun, why := down.from, "it ended"
	for i, at := range moments[:len(moments)-1] {
		if event := j.event(w, sid, at); event != "" && i > 0 {
			begun, why = at, event
		}
		until := moments[i+1]
		if reason := j.standstill(w, sid, at); reason != "" {
			begun, why = until, reason+" until then"
		}
		if bound := j.bound() + j.kept(sid, begun, until); until-begun > bound {
			return fmt.Sprintf("recovery may take %v, and nothing that concerns it has happened since %v (%s); at home on %q",
				bound, begun, why, lastHome(j.homes[sid], at))
		}
	}
	return ""
}

// kept is what recovery may take longer because the service stays with a node whose death the master
// has proved within a time: nobody gives the lock back that was the proof, so the node's agent gets it
// when its life is over.
func (j *haJudge) kept(sid string, from, to time.Duration) time.Duration {
	home := lastHome(j.homes[sid], to)
	for i := range j.order {
		c := &j.order[i]
		if from < c.at && c.at < to && c.Key == lock.Dir+"/"+haproc.AgentLock(home) && byMaster(c.by) &&
			c.F != tree.Delete.String() && lastHome(j.homes[sid], c.at) == home {
			return j.scaled(lock.TTL)
		}
	}
	return 0
}

// moments are the instants of a time at which something may change for a service, with its
// beginning and its end.
func (j *haJudge) moments(w *wishes, sid string, down span) []time.Duration {
	at := slices.Concat(edges(w.unwanted[sid]), edges(w.disarmed))
	for i := range j.health.phases {
		at = append(at, j.health.phases[i].from)
	}
	for _, h := range slices.Concat(j.homes[sid], j.master) {
		at = append(at, h.at)
	}
	for _, node := range j.nodes {
		at = append(at, edges(w.resting[node])...)
	}
	for _, f := range j.failures {
		if f.sid == sid {
			at = append(at, f.at)
		}
	}
	at = slices.DeleteFunc(at, func(t time.Duration) bool { return t <= down.from || t >= down.to })
	at = append(at, down.from, down.to)
	slices.Sort(at)
	return slices.Compact(at)
}

// event says what happens at an instant that makes the recovery of a service begin anew; nothing
// if nothing does.
func (j *haJudge) event(w *wishes, sid string, at time.Duration) string {
	before, now := j.health.at(at-1), j.health.at(at)
	home, master := lastHome(j.homes[sid], at), lastHome(j.master, at)
	if was := lastHome(j.homes[sid], at-1); was != home {
		return "it moved from " + was + " to " + home
	}
	if was := lastHome(j.master, at-1); was != master {
		return "the master changed from " + was + " to " + master
	}
	if m := slices.Index(j.nodes, home); m >= 0 && (before.agent[m] != now.agent[m] || before.fine[m] != now.fine[m]) {
		return "its node " + home + " changed"
	}
	if m := slices.Index(j.scenario.Machines, master); m >= 0 && before.manager[m] != now.manager[m] {
		return "the master's node " + master + " changed"
	}
	if slices.Contains(edges(w.resting[home]), at) {
		return "maintenance of its node " + home
	}
	if j.failedWithReason(sid, at) {
		return "a start that could not succeed"
	}
	return ""
}

// standstill says why nothing can or need be done for a service from an instant on; nothing when
// it can.
func (j *haJudge) standstill(w *wishes, sid string, at time.Duration) string {
	p := j.health.at(at)
	var there []string
	for m, name := range j.nodes {
		if p.agent[m] && !within(w.resting[name], at) {
			there = append(there, name)
		}
	}
	home := slices.Index(j.nodes, lastHome(j.homes[sid], at))
	switch {
	case within(w.unwanted[sid], at):
		return "it need not run"
	case within(w.disarmed, at):
		return "high availability was disarmed"
	case p.unclear:
		return "the network was not transitive"
	case !slices.Contains(p.manager, true):
		return "no machine could be the master"
	case len(w.allowed(sid, there)) == 0:
		return "no node was left for it"
	case home >= 0 && p.fine[home] && !p.agent[home]:
		return "what runs services on its node stood still"
	case home >= 0 && !p.fine[home] && j.unsaid(sid, home, at):
		return "its guest had come to its node just before that went away, and nobody had said that it was guarded"
	case j.gaveUp(sid, at):
		return "it was in error with a reason"
	}
	return ""
}

// saidAfter is how long after a guest has come to a node the manager may need to hear that it is
// guarded: a round of its own, one of the agent there, and the writes of both.
const saidAfter = 25 * time.Second

// unsaid says whether a service's node had trouble so soon after the service came there that the
// node's lock proves nothing about it. The manager leaves it alone then until the node is back.
func (j *haJudge) unsaid(sid string, node int, at time.Duration) bool {
	came := time.Duration(-1)
	for _, h := range j.homes[sid] {
		if h.at <= at {
			came = h.at
		}
	}
	until := came + j.scaled(saidAfter)
	return came > 0 && slices.ContainsFunc(j.health.phases, func(p phase) bool {
		return !p.fine[node] && p.from < until && p.to > came && p.from < at
	})
}

// hostReturns is how long after its guests' host has come back a start may still fail on a machine.
const hostReturns = 15 * time.Second

// failedWithReason says whether a start failed at an instant because the machine's guests had
// nothing to run in.
func (j *haJudge) failedWithReason(sid string, at time.Duration) bool {
	return slices.ContainsFunc(j.failures, func(f failure) bool {
		return f.sid == sid && f.at == at && j.couldNotStart(f)
	})
}

func (j *haJudge) couldNotStart(f failure) bool {
	for i := range j.run.Applied {
		a := &j.run.Applied[i]
		if stops(a.Fault.Kind) && j.health.hits(&a.Fault, f.machine) && a.Begun[1] > 0 &&
			(a.Fault.Process == "" || a.Fault.Process == resource.HostProcess) &&
			a.Begun[0] <= f.at && f.at <= j.health.ends(a)+j.scaled(hostReturns) {
			return true
		}
	}
	return false
}

// gaveUp says whether a service that is in error in the end had come there with a reason.
func (j *haJudge) gaveUp(sid string, at time.Duration) bool {
	if sd := j.status(); sd == nil || sd.ServiceStatus[sid] == nil || sd.ServiceStatus[sid].State != ha.Error {
		return false
	}
	return slices.ContainsFunc(j.failures, func(f failure) bool { return f.sid == sid && f.at <= at && j.couldNotStart(f) })
}
