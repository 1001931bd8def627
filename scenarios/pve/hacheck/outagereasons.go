package hacheck

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/lock"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// restartReason returns the event at an instant that restarts the time limit for the recovery of a service;
// "" when there is none.
func restartReason(e *Evidence, sid string, at time.Duration) string {
	before, now := e.health.At(at-1), e.health.At(at)
	node, master := e.storeChanges.placementOf(sid, at), e.storeChanges.masterAt(at)
	if was := e.storeChanges.placementOf(sid, at-1); was != node {
		return "it moved from " + was + " to " + node
	}
	if was := e.storeChanges.masterAt(at - 1); was != master {
		return "the master changed from " + was + " to " + master
	}
	if m, exists := e.machineOfNode(node); exists &&
		(agentRuns(before, m) != agentRuns(now, m) || before.InMajority[m] != now.InMajority[m]) {
		return "its node " + node + " changed"
	}
	if m, exists := e.machineNamed(master); exists && managerRuns(before, m) != managerRuns(now, m) {
		return "the master's node " + master + " changed"
	}
	if slices.Contains(check.Edges(e.desired.maintenanceSpans[node]), at) {
		return "maintenance of its node " + node
	}
	if slices.ContainsFunc(e.orderLog.failedStarts, func(f failedStart) bool {
		return f.sid == sid && f.failedAt == at && (couldNotStart(e, f) || isFlawedTry(e, f))
	}) {
		return "a start that could not succeed"
	}
	return ""
}

// blockedReason is why nothing can or need be done for a service from an instant on; "" when it can.
func blockedReason(e *Evidence, sid string, at time.Duration) string {
	p := e.health.At(at)
	var available []string
	for m, name := range e.Nodes {
		if agentRuns(p, env.MachineID(m)) && !check.Within(e.desired.maintenanceSpans[name], at) {
			available = append(available, name)
		}
	}
	m, placed := e.machineOfNode(e.storeChanges.placementOf(sid, at))
	switch {
	case check.Within(e.desired.notRequired[sid], at):
		return "it need not run"
	case check.Within(e.desired.disarmedSpans, at):
		return "high availability was disarmed"
	case p.Unclear:
		return "the network was not transitive"
	case !anyManagerRuns(p):
		return "no machine could be the master"
	case len(e.desired.rules.Nodes(sid, available)) == 0:
		return "no node was left for it"
	case placed && p.InMajority[m] && !agentRuns(p, m):
		return "what runs services on its node was stopped"
	case placed && !p.InMajority[m] && unconfirmedGuard(e, sid, m, at):
		return "its guest had come to its node just before that was lost, and was not reported as guarded"
	case inErrorWithReason(e, sid, at):
		return "it was in error with a reason"
	case placed && e.forgotShutdown(m, at):
		return "what took its node down was killed before the end"
	case placed && agentRuns(p, m) && lockedByOperator(e, failedStart{sid: sid, failedAt: at}):
		return "its guest was locked"
	}
	return ""
}

// guardReportMax is how long after a guest has come to a node the manager may need to learn that the node's
// watchdog is armed: a round of its own, one of the agent there, and the writes of both.
const guardReportMax = 25 * time.Second

// unconfirmedGuard reports whether a service's node failed so soon after the service moved there, or was
// configured for high availability there, that the node's lock proves nothing about it. The manager then
// does not recover the service until the node returns. Where a master had taken the node's lock as a proof,
// the agent there gets it, and with it the watchdog, only after the lock's TTL.
func unconfirmedGuard(e *Evidence, sid string, m env.MachineID, at time.Duration) bool {
	came := time.Duration(-1)
	for _, p := range e.storeChanges.placements[sid] {
		if p.placedAt <= at {
			came = p.placedAt
		}
	}
	for _, d := range e.operatorLog.actions {
		command, is := d.command()
		if is && command.Verb == haspec.VerbAdd && command.SID == sid && d.doneAt <= at {
			came = max(came, d.doneAt)
		}
	}
	until := came + e.scaledTime(guardReportMax) + agentLockWait(e, m, came)
	return came > 0 && slices.ContainsFunc(e.health.Phases, func(p check.Phase) bool {
		return !p.InMajority[m] && p.From < until && p.To > came && p.From < at
	})
}

// agentLockWait returns for how long after an instant an agent may have to wait for the lock of its node: a
// master had taken it last.
func agentLockWait(e *Evidence, m env.MachineID, at time.Duration) time.Duration {
	within := at + e.scaledTime(guardReportMax)
	byMaster, key := false, lock.Dir+"/"+haproc.AgentLock(e.Nodes[m])
	for i := range e.storeChanges.changes {
		if c := &e.storeChanges.changes[i]; c.Key == key && c.durableAt <= within && !c.isDelete() {
			byMaster = c.byMaster()
		}
	}
	if byMaster {
		return e.scaledTime(lock.TTL)
	}
	return 0
}

// hostReturnMax is how long after its guests' host has come back a start may still fail on a machine.
const hostReturnMax = 15 * time.Second

// couldNotStart reports whether a start failed because the machine's guests had nothing to run in.
func couldNotStart(e *Evidence, f failedStart) bool {
	return e.health.StoppedSince(f.machine, resource.HostProcess, f.failedAt, e.scaledTime(hostReturnMax))
}

// inErrorWithReason reports whether a service that is in error at the end had come there with a reason by an
// instant.
func inErrorWithReason(e *Evidence, sid string, at time.Duration) bool {
	if s := e.finalStatus(); s == nil || s.ServiceStatus[sid] == nil ||
		s.ServiceStatus[sid].State != ha.Error {
		return false
	}
	return usedUpTries(e, sid, at) || slices.ContainsFunc(e.orderLog.failedStarts, func(f failedStart) bool {
		return f.sid == sid && f.failedAt <= at && (couldNotStart(e, f) || lockedByOperator(e, f))
	})
}

// isFlawedTry reports whether a start failed as the scenario demands, and was one of those that the settings
// of the service allow on all machines. Later ones excuse nothing: the manager must have given up by then.
func isFlawedTry(e *Evidence, f failedStart) bool {
	onOne, machines := allowedTries(e, f.sid)
	return e.HA.Flaws[f.sid].FailsStartsOn(e.Machines[f.machine]) &&
		countFlawedStarts(e, f.sid, f.failedAt) <= onOne*machines
}

// usedUpTries reports whether, by an instant, so many starts of a service have failed as the scenario demands
// that the manager may give the service up.
func usedUpTries(e *Evidence, sid string, at time.Duration) bool {
	onOne, _ := allowedTries(e, sid)
	maySink := haspec.HasCommand(e.HA.Commands, haspec.VerbSet, sid, "max_restart")
	count := countFlawedStarts(e, sid, at)
	return count >= onOne || maySink && count > 0
}

// allowedTries returns how often a service may be started on one machine, and on how many machines.
func allowedTries(e *Evidence, sid string) (onOne, machines int) {
	service := e.desired.services[sid]
	if service == nil {
		return 1, 1
	}
	return 1 + service.MaxRestart, 1 + service.MaxRelocate
}

// countFlawedStarts counts the starts of a service that have failed as the scenario demands by an instant.
func countFlawedStarts(e *Evidence, sid string, by time.Duration) (count int) {
	for _, f := range e.orderLog.failedStarts {
		if f.sid == sid && f.failedAt <= by && e.HA.Flaws[sid].FailsStartsOn(e.Machines[f.machine]) {
			count++
		}
	}
	return count
}

// finalFile is the newest content of a file that a machine gave after quiescence; false when none did.
func (e *Evidence) finalFile(path string) (data []byte, found bool) {
	var newest uint64
	for _, f := range e.run.Finals {
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

// finalStatus is the manager's own account at the end; nil when there is none.
func (e *Evidence) finalStatus() *ha.ManagerStatus {
	if e.statusRead {
		return e.managerStatus
	}
	e.statusRead = true
	data, found := e.finalFile(haproc.ManagerStatusPath)
	var status ha.ManagerStatus
	if found && json.Unmarshal(data, &status) == nil {
		e.managerStatus = &status
	}
	return e.managerStatus
}
