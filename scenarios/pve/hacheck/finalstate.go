package hacheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// FinalQuestions are the reads after quiescence whose answers show the final state of the HA manager.
func FinalQuestions() []workload.Op {
	return []workload.Op{{F: workload.Read, Key: haproc.ManagerStatusPath},
		{F: workload.Read, Key: haproc.ResourcesPath}}
}

// finalState compares, after quiescence, the configured services, the manager's status and the running
// guests. It is the only check that reads the manager's status, to find missing services; where status and
// guests differ, it trusts the guests.
type finalState struct{}

// Name implements check.Check.
func (finalState) Name() string { return "ha-end" }

// Judge implements check.Check.
func (c finalState) Judge(_ context.Context, e *Evidence) linearizability.Verdict {
	text, found := e.finalFile(haproc.ResourcesPath)
	if !found || e.operatorLog.filesInPlaceAt == 0 {
		return check.Verdict(c.Name(), nil, "nothing was configured at the end, as far as machines answered")
	}
	services, _, err := config.ParseResources(string(text))
	if err != nil {
		return check.Verdict(c.Name(), []linearizability.Violation{
			lostService("the list of services cannot be read at the end: %v", err)}, "")
	}
	end := &finalStateJudge{Evidence: e, services: services, managerStatus: e.finalStatus()}
	if end.managerStatus == nil {
		end.managerStatus = &ha.ManagerStatus{}
	}
	var violations []linearizability.Violation
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		if v := end.judgeService(sid); v != nil && !e.HA.NeverStarts(sid) {
			violations = append(violations, *v)
		}
	}
	violations = append(violations, end.judgeRules()...)
	summary := fmt.Sprintf("%d services are known and where they belong", len(services))
	if end.failedCount > 0 {
		summary += fmt.Sprintf("; %d of them in error, after starts that could not succeed", end.failedCount)
	}
	return check.Verdict(c.Name(), violations, summary)
}

// finalStateJudge is the cluster after quiescence.
type finalStateJudge struct {
	*Evidence
	services      map[string]*ha.ServiceConfig
	managerStatus *ha.ManagerStatus
	failedCount   int // services in error with a reason
}

// judgeService judges how one service ended; nil when nothing is wrong.
func (e *finalStateJudge) judgeService(sid string) *linearizability.Violation {
	configured, known := e.services[sid], e.managerStatus.ServiceStatus[sid]
	end := e.run.Duration
	wrong := func(kind linearizability.Kind, format string, args ...any) *linearizability.Violation {
		return &linearizability.Violation{Kind: kind,
			Explain: fmt.Sprintf("at the end service "+sid+" "+format, args...)}
	}
	mustRun := configured.State == ha.WantStarted
	switch {
	case configured.State == ha.WantIgnored || check.Within(e.desired.disarmedSpans, end):
		return nil
	case e.commandedTooLate(sid):
		return nil
	case known == nil:
		return wrong(ForgottenService, "is configured and the manager does not know it")
	case known.State == ha.Error:
		if !inErrorWithReason(e.Evidence, sid, end) {
			return wrong(LostService, "is in error on %s without a reason", known.Node)
		}
		e.failedCount++
		return nil
	case mustRun && check.Within(e.desired.notRequired[sid], end):
		return nil // it is unknown whether the last command was carried out
	case known.State == ha.Freeze && e.nodeForgotShutdown(known.Node):
		return nil // the order must be repeated
	case (known.State == ha.Fence || known.State == ha.Recovery || known.State == ha.Freeze) &&
		e.hasAllowedNode(sid):
		return wrong(LostService, "is stuck in %s of %s", known.State, known.Node)
	}
	on := e.machinesAtEndOf(sid)
	switch {
	case mustRun && on == "" && e.hasAllowedNode(sid) && e.wasDownTooLong(sid):
		return wrong(LostService, "must run and runs nowhere; the manager has it as %s on %s", known.State,
			known.Node)
	case !mustRun && on != "" && e.hasAllowedNode(sid):
		return wrong(LostService, "must be %s and runs on %s; the manager has it as %s", configured.State, on,
			known.State)
	}
	return nil
}

// commandedTooLate reports whether the operator named a service too late for it to be carried out.
func (e *finalStateJudge) commandedTooLate(sid string) bool {
	return slices.ContainsFunc(e.operatorLog.actions, func(d operatorDid) bool {
		return d.doneAt > e.run.Duration-e.recoveryBound() && slices.Contains(strings.Fields(d.action), sid)
	})
}

// nodeForgotShutdown is forgotShutdown for a node at the end.
func (e *finalStateJudge) nodeForgotShutdown(node string) bool {
	m, exists := e.machineOfNode(node)
	return exists && e.forgotShutdown(m, e.run.Duration)
}

// hasAllowedNode reports whether the rules leave a service a node when all nodes are there.
func (e *finalStateJudge) hasAllowedNode(sid string) bool {
	return len(e.desired.rules.Nodes(sid, e.Nodes)) > 0
}

// wasDownTooLong reports whether the last outage of a service is longer than that of a move, not counting
// the time in which its node's agent waits for a lock that the master took.
func (e *finalStateJudge) wasDownTooLong(sid string) bool {
	outages := e.outagesOf(sid)
	if len(outages) == 0 {
		return false
	}
	last := outages[len(outages)-1]
	from := last.From
	if at, waits := agentGetsLock(e.Evidence, sid, last.From, last.To); waits {
		from = at
	}
	return last.To-from > e.recoveryBound()/2
}

// judgeRules judges where services run that only one rule is about: other rules may contradict each other,
// and what results is the manager's to decide.
func (e *finalStateJudge) judgeRules() (violations []linearizability.Violation) {
	for _, id := range slices.Sorted(maps.Keys(e.desired.rules)) {
		r := e.desired.rules[id]
		if !r.Enabled() || !e.isOnlyRuleFor(r) || slices.ContainsFunc(r.Resources, e.commandedTooLate) {
			continue
		}
		at := map[string][]string{} // services by where they run
		for _, sid := range r.Resources {
			if on := e.machinesAtEndOf(sid); on != "" && e.services[sid] != nil {
				at[on] = append(at[on], sid)
			}
		}
		for _, on := range slices.Sorted(maps.Keys(at)) {
			if _, listed := r.Nodes[on]; r.Strict.On() && !listed {
				violations = append(violations,
					lostService("at the end %v run on %s, which the strict rule %s does not list",
						at[on], on, id))
			}
			if r.Affinity == config.Negative && len(at[on]) > 1 && len(r.Resources) <= len(e.Machines) {
				violations = append(violations,
					lostService("at the end %v run on %s, which rule %s keeps apart",
						at[on], on, id))
			}
		}
		if r.Affinity == config.Positive && len(at) > 1 {
			violations = append(violations,
				lostService("at the end %v run on %v, which rule %s keeps together",
					r.Resources, slices.Sorted(maps.Keys(at)), id))
		}
	}
	return violations
}

// isOnlyRuleFor reports whether no other rule, enabled or not, is about the services of a rule.
func (e *finalStateJudge) isOnlyRuleFor(r *config.Rule) bool {
	for _, other := range e.desired.rules {
		if other.ID != r.ID && slices.ContainsFunc(other.Resources, r.Has) {
			return false
		}
	}
	return true
}
