package hacheck

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host/programs"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// Cluster is what the checks must know of a cluster.
type Cluster struct {
	Machines []string // their names, by id
	Nodes    []string // the names of their nodes, by machine
	Votes    []uint32 // by machine
	// ExpectedVotes is what votequorum expects, at least the sum of the votes.
	ExpectedVotes uint32
	// JoinInterval is what Totem waits between two joins of a node (corosync.conf(5), join).
	JoinInterval time.Duration
	// Relays means that nodes whose link does not work reach each other over a third one.
	Relays bool
	// RingDelay is how much longer than with usual settings the ring takes to go on without a silent node.
	RingDelay time.Duration
	// Warmup is that of the scenario as written: times of commands count from its end.
	Warmup time.Duration
	HA     *haspec.Spec
}

// Evidence is what the checks share. It observes the records once for all of them, and is finished with what
// is known at the run's end.
type Evidence struct {
	Cluster

	// Gathered from the records.
	runningIntervals *check.Intervals
	powerLog         check.PowerLog
	operatorLog      operatorLog
	watchdogLog      watchdogLog
	orderLog         orderLog
	fenceLog         fenceLog
	ringLog          ringLog
	goingDowns       []goingDown
	durableAt        map[string]time.Duration // request -> when the first machine had its change on disk

	// Known at the end.
	run          *scenarios.Run
	health       *health
	runIntervals []check.Interval // the run intervals, ended where a fault killed what guests run in
	storeChanges storeOrder
	desired      *desiredState

	managerStatus *ha.ManagerStatus // nil when there is none; use finalStatus
	statusRead    bool
}

func newEvidence(c Cluster) *Evidence {
	return &Evidence{Cluster: c, runningIntervals: check.NewIntervals(len(c.Machines)),
		durableAt:   map[string]time.Duration{},
		watchdogLog: watchdogLog{lastExpiry: map[env.MachineID]expiry{}}}
}

// Observe implements check.Observer.
func (e *Evidence) Observe(r scenarios.Stamped) {
	switch rec := r.Record.(type) {
	case resource.Active:
		e.runningIntervals.Set(rec.SID, r.Machine, r.At, rec.On)
	case resource.HostStarted:
		e.runningIntervals.EndAll(r.Machine, r.At)
	case programs.Heartbeat:
		// A heartbeat proves that the program runs, even if its start was not recorded.
		e.runningIntervals.Set(rec.Name, r.Machine, r.At, rec.Phase != programs.Ended)
	case scenarios.Power:
		e.powerLog.Observe(r)
		e.watchdogLog.onPower(r, rec)
		if !rec.On {
			e.runningIntervals.EndAll(r.Machine, r.At)
		}
	case initd.GoingDown:
		e.goingDowns = append(e.goingDowns, goingDown{r.Machine, r.At})
	case scenarios.Switched:
		e.fenceLog.onSwitched(r, rec)
	case store.Applied:
		if _, known := e.durableAt[rec.Request]; !known && storecheck.FromProcess(rec.Request) {
			e.durableAt[rec.Request] = r.At
		}
	case totem.Membership:
		if rec.Kind == cpg.Regular {
			e.ringLog.observe(r.Machine, r.At, rec.Ring)
		}
	case watchdog.ConnectionChange:
		e.watchdogLog.onConnectionChange(r, rec)
	case watchdog.Expired:
		e.watchdogLog.lastExpiry[r.Machine] = expiry{client: rec.Client, clientEnded: !rec.Overdue,
			expiredAt: r.At}
	case haspec.OperatorDid:
		if rec.Refused == "" {
			e.operatorLog.onRecord(e.Machines[r.Machine], rec.What, r)
		}
	default:
		e.orderLog.onRecord(r)
		e.fenceLog.observe(r, e.Machines[r.Machine])
	}
}

// deriveAtEnd derives the evidence that needs the finished run, but not the store's order of changes.
func (e *Evidence) deriveAtEnd(r *scenarios.Run) {
	e.run = r
	e.health = newHealth(e.Cluster, r, e.powerLog)
	e.runIntervals = e.runningIntervals.All()
	if r.Backend == simulated {
		// In the simulator guests live in the process of their host. On real nodes they end with no process.
		e.runIntervals = e.health.EndAtKills(e.runIntervals, resource.HostProcess)
	}
	e.desired = newDesiredState(e)
}

// simulated is the backend in which no record is ever lost.
const simulated = "sim"

// scaledTime is a time of the scenario, or of the engine's timers, in the run.
func (e *Evidence) scaledTime(d time.Duration) time.Duration { return e.run.Timescale.Of(d) }

// commandDueAt is when the operator begins to try a command.
func (e *Evidence) commandDueAt(c *haspec.Command) time.Duration {
	return e.scaledTime(e.Warmup + c.At)
}

// recoveryBound is how long recovery may take.
func (e *Evidence) recoveryBound() time.Duration {
	bound := e.HA.RecoverWithin
	if bound == 0 {
		bound = haspec.DefaultRecoverWithin
	}
	return e.scaledTime(bound)
}

// machinesAtEndOf names the machines on which a service runs at the end; "" when there is none.
func (e *Evidence) machinesAtEndOf(sid string) string {
	var on []string
	for _, m := range e.runningIntervals.Machines(sid) {
		on = append(on, e.Machines[m])
	}
	return strings.Join(on, " and ")
}

// outagesOf are the times in which a service ran nowhere.
func (e *Evidence) outagesOf(sid string) []check.Span {
	return check.Outages(e.runIntervals, sid, e.run.Duration)
}

// lastEvent returns the last instant between from and to of an event that may affect any service: the begin
// or end of a fault, a power change or a command of the operator. It returns from when there is none.
func (e *Evidence) lastEvent(from, to time.Duration) time.Duration {
	last := from
	event := func(at time.Duration) {
		if at > last && at < to {
			last = at
		}
	}
	for i := range e.run.Applied {
		event(e.run.Applied[i].Begun[1])
		event(e.run.Applied[i].Ended[1])
	}
	for _, p := range e.powerLog {
		event(p.At)
	}
	for _, d := range e.operatorLog.actions {
		event(d.doneAt)
	}
	return last
}

// operatorLog is what the operator has done.
type operatorLog struct {
	actions []operatorDid
	// filesInPlaceAt is when the operator had put the files into place; 0 before.
	filesInPlaceAt time.Duration
}

// operatorDid is a command that the operator has carried out on a machine.
type operatorDid struct {
	machine, action string
	doneAt          time.Duration
}

// command returns the command that was carried out; false for the files that the operator put into place.
func (d *operatorDid) command() (haspec.ParsedCommand, bool) {
	if d.action == haspec.FilesInPlace {
		return haspec.ParsedCommand{}, false
	}
	return haspec.Command{Run: d.action}.Parsed(), true
}

// onRecord takes the operator's record. The first one is about the files.
func (l *operatorLog) onRecord(machine, what string, r scenarios.Stamped) {
	l.actions = append(l.actions, operatorDid{machine, what, r.At})
	if l.filesInPlaceAt == 0 {
		l.filesInPlaceAt = r.At
	}
}

// commandsOn counts the commands that were carried out on a machine.
func (l *operatorLog) commandsOn(machine string) (count int) {
	for _, d := range l.actions {
		if d.machine == machine && d.action != haspec.FilesInPlace {
			count++
		}
	}
	return count
}

// machineNamed returns the id of a machine; false when there is no such machine.
func (c *Cluster) machineNamed(name string) (env.MachineID, bool) {
	m := slices.Index(c.Machines, name)
	return env.MachineID(max(m, 0)), m >= 0
}

// machineOfNode returns the id of a node's machine; false when there is no such node.
func (c *Cluster) machineOfNode(name string) (env.MachineID, bool) {
	m := slices.Index(c.Nodes, name)
	return env.MachineID(max(m, 0)), m >= 0
}

// crmProcess and lrmProcess are what manages and what runs services.
const crmProcess, lrmProcess = haproc.CRMProcess, haproc.LRMProcess
