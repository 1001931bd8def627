package pve

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// finalFile is the newest content of a file that a machine gave after quiescence.
func (j *haJudge) finalFile(path string) (data []byte, found bool) {
	var newest uint64
	for _, f := range j.run.Finals {
		if f.Op.Key != path || f.Err != nil {
			continue
		}
		answer, err := store.DecodeResponse(f.Output)
		if err == nil && answer.OK && answer.Entry != nil && (!found || answer.Revision >= newest) {
			data, newest, found = answer.Entry.Data, answer.Revision, true
		}
	}
	return data, found
}

// status is the manager's own account in the end; nil when there is none.
func (j *haJudge) status() *ha.ManagerStatus {
	data, found := j.finalFile(haproc.ManagerStatusPath)
	if !found {
		return nil
	}
	var status ha.ManagerStatus
	if json.Unmarshal(data, &status) != nil {
		return nil
	}
	return &status
}

// checkEnd compares, after quiescence, what is configured, what the manager knows and what runs
// where. It is the only check that reads the manager's account, to see that nothing is missing
// there, and it believes the guests where they differ.
func (j *haJudge) checkEnd() (violations []linearizability.Violation, remark string) {
	text, found := j.finalFile(haproc.ResourcesPath)
	if !found || j.inPlace == 0 {
		return nil, "nothing was configured in the end, as far as machines answered"
	}
	services, _, err := config.ParseResources(string(text))
	if err != nil {
		return []linearizability.Violation{lost("the list of services cannot be read in the end: %v", err)}, ""
	}
	status := j.status()
	if status == nil {
		status = &ha.ManagerStatus{}
	}
	e := &ending{haJudge: j, services: services, status: status}
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		if v := e.service(sid); v != nil && !j.subject.spec.HA.NeverStarts(sid) {
			violations = append(violations, *v)
		}
	}
	violations = append(violations, e.rules()...)
	remark = fmt.Sprintf("%d services are known and where they belong", len(services))
	if e.failed > 0 {
		remark += fmt.Sprintf("; %d of them in error, after starts that could not succeed", e.failed)
	}
	return violations, remark
}

// ending is the cluster after quiescence.
type ending struct {
	*haJudge
	services map[string]*ha.ServiceConfig
	status   *ha.ManagerStatus
	failed   int
}

// service judges how one service ended; nil when all is well.
func (e *ending) service(sid string) *linearizability.Violation {
	cd, sd := e.services[sid], e.status.ServiceStatus[sid]
	end := e.run.Duration
	wrong := func(kind linearizability.Kind, format string, args ...any) *linearizability.Violation {
		return &linearizability.Violation{Kind: kind, Explain: fmt.Sprintf("in the end service "+sid+" "+format, args...)}
	}
	switch {
	case cd.State == ha.WantIgnored || within(e.wishes.disarmed, end):
		return nil
	case e.recentlyTouched(sid):
		return nil
	case sd == nil:
		return wrong(ForgottenService, "is configured and the manager does not know of it")
	case sd.State == ha.Error:
		if !e.gaveUp(sid, end) {
			return wrong(LostService, "is in error on %s without a reason", sd.Node)
		}
		e.failed++
		return nil
	case e.standstill(e.wishes, sid, end) != "" && cd.State == ha.WantStarted && within(e.wishes.unwanted[sid], end):
		return nil // a wish that nobody knows to have been carried out
	case (sd.State == ha.Fence || sd.State == ha.Recovery || sd.State == ha.Freeze) && e.nodeFor(sid):
		return wrong(LostService, "is stuck in %s of %s", sd.State, sd.Node)
	}
	on := e.names(e.active[sid])
	switch {
	case cd.State == ha.WantStarted && on == "" && e.nodeFor(sid) && e.longDown(sid):
		return wrong(LostService, "is to run and runs nowhere; the manager says %s on %s", sd.State, sd.Node)
	case cd.State != ha.WantStarted && on != "" && e.nodeFor(sid):
		return wrong(LostService, "is to be %s and runs on %s; the manager says %s", cd.State, on, sd.State)
	}
	return nil
}

// recentlyTouched: the operator spoke of it too late for anybody to have acted on it.
func (e *ending) recentlyTouched(sid string) bool {
	return slices.ContainsFunc(e.did, func(d didAt) bool {
		return d.at > e.run.Duration-e.bound() && slices.Contains(strings.Fields(d.what), sid)
	})
}

func (e *ending) nodeFor(sid string) bool {
	return len(e.wishes.allowed(sid, e.nodes)) > 0
}

// longDown: being down for a short time is how moves look.
func (e *ending) longDown(sid string) bool {
	downs := e.downs(sid)
	return len(downs) > 0 && downs[len(downs)-1].to-downs[len(downs)-1].from > e.bound()/2
}

// rules judges where services run that only one rule speaks of: the others' rules may contradict
// each other, and what comes of that is the manager's to decide.
func (e *ending) rules() (violations []linearizability.Violation) {
	for _, id := range slices.Sorted(maps.Keys(e.wishes.rules)) {
		r := e.wishes.rules[id]
		if !e.alone(r) || slices.ContainsFunc(r.Resources, e.recentlyTouched) {
			continue
		}
		at := map[string][]string{}
		for _, sid := range r.Resources {
			if on := e.names(e.active[sid]); on != "" && e.services[sid] != nil {
				at[on] = append(at[on], sid)
			}
		}
		for _, on := range slices.Sorted(maps.Keys(at)) {
			if _, listed := r.Nodes[on]; r.Strict.On() && !listed {
				violations = append(violations, lost("in the end %v run on %s, which the strict rule %s does not list", at[on], on, id))
			}
			if r.Affinity == config.Negative && len(at[on]) > 1 && len(r.Resources) <= len(e.scenario.Machines) {
				violations = append(violations, lost("in the end %v run on %s, which rule %s keeps apart", at[on], on, id))
			}
		}
		if r.Affinity == config.Positive && len(at) > 1 {
			violations = append(violations, lost("in the end %v run on %v, which rule %s keeps together",
				r.Resources, slices.Sorted(maps.Keys(at)), id))
		}
	}
	return violations
}

// alone says whether no other rule speaks of the services of a rule.
func (e *ending) alone(r *config.Rule) bool {
	for _, other := range e.wishes.rules {
		if other.ID != r.ID && slices.ContainsFunc(other.Resources, r.Has) {
			return false
		}
	}
	return true
}

// finalHA are the questions that tell what became of high availability.
func finalHA() []workload.Op {
	return []workload.Op{{F: workload.Read, Key: haproc.ManagerStatusPath}, {F: workload.Read, Key: haproc.ResourcesPath}}
}
