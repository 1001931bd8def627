package anygen

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// operator draws what the operator does, from what it did before.
type operator struct {
	*haDraw
	at            time.Duration     // of the command that is drawn
	inMaintenance map[string]bool   // nodes, if no command was lost
	removed       map[string]bool   // services
	lockedSince   map[string]string // services with a locked guest, and where the command ran
	isDisarmed    bool
	// everMaintained and everDisarmed remember what a later command takes back, because that command may be
	// lost.
	everMaintained map[string]bool
	everDisarmed   bool
	created        int
	busyUntil      map[string]time.Duration // machines whose daemons or power were stopped
}

func newOperator(h *haDraw) *operator {
	return &operator{haDraw: h, inMaintenance: map[string]bool{}, removed: map[string]bool{},
		lockedSince: map[string]string{}, everMaintained: map[string]bool{},
		busyUntil: map[string]time.Duration{}}
}

// Times of the operator.
const (
	// restoreLater is how long after the end of the faults the last commands come.
	restoreLater = 25 * time.Second
	// slotSteps is how finely the time of a command within its slot is drawn.
	slotSteps = 64
	// pauseStep is the unit of the time that a stopped daemon or machine stays off.
	pauseStep = 10 * time.Second
	// shutdownsUntil is the part of the duration in which machines are shut down: the operator retries while
	// faults prevent it, and later nothing may switch the machine on again.
	shutdownsUntil = 3
)

// drawCommands draws at most one command for each slot of CommandEvery, and those that restore the cluster.
// In some runs the operator gives few kinds of commands, again and again.
func (o *operator) drawCommands() {
	every, duration := o.limits.CommandEvery, o.scenario.Duration
	if o.oneIn("rare-commands", 3) {
		every *= 3
	}
	families := o.families()
	for begin := time.Duration(0); begin+every <= duration; begin += every {
		o.at = begin + every/slotSteps*time.Duration(o.below("command-at", slotSteps))
		on := o.machine("command-on")
		if what := o.below("command", 5); what > 0 {
			families[o.below("family", len(families))](on)
		}
	}
	o.restore(duration)
	slices.SortStableFunc(o.spec.Commands, func(a, b haspec.Command) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(o.scenario.Faults, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
}

// families returns the kinds of commands of this run.
func (o *operator) families() []func(on string) {
	all := []func(on string){o.moveService, o.changeState, o.maintain, o.disarm, o.removeService,
		o.changeService, o.restartDaemon, o.shutDown, o.lockGuest, o.createService, o.makeMistake,
		o.changeSettings}
	if !o.oneIn("few-families", 3) {
		return all
	}
	var few []func(on string)
	for range 1 + o.below("family-count", 3) {
		few = append(few, all[o.below("one-family", len(all))])
	}
	return few
}

func (o *operator) add(at time.Duration, on, format string, args ...any) {
	run := fmt.Sprintf(format, args...)
	o.spec.Commands = append(o.spec.Commands, haspec.Command{At: at, On: on, Run: run})
}

// moveService orders the master to move a service.
func (o *operator) moveService(on string) {
	verb := pick(o.drawer, "move", ha.CommandMigrate, ha.CommandMigrate, ha.CommandRelocate)
	o.add(o.at, on, "%s %s %s", verb, o.sid("command-sid"), o.machine("command-node"))
}

// changeState wants a service to run or not.
func (o *operator) changeState(on string) {
	sid := o.sid("command-sid")
	if o.oneIn("ordered-stop", 4) {
		o.add(o.at, on, "%s %s %d", ha.CommandStop, sid, 10*o.below("stop-timeout", 4))
		return
	}
	o.add(o.at, on, "%s %s state %s", haspec.VerbSet, sid, pick(o.drawer, "command-state", ha.WantStarted,
		ha.WantStarted, ha.WantStarted, ha.WantStopped, ha.WantDisabled))
}

// maintain puts a node into maintenance or, if one is in maintenance already, takes that one out.
func (o *operator) maintain(on string) {
	node := o.machine("command-node")
	for _, out := range o.scenario.Machines {
		if o.inMaintenance[out] {
			delete(o.inMaintenance, out)
			o.add(o.at, on, "%s %s", ha.CommandDisableMaintenance, out)
			return
		}
	}
	o.inMaintenance[node], o.everMaintained[node] = true, true
	o.add(o.at, on, "%s %s", ha.CommandEnableMaintenance, node)
}

// disarm disarms the manager in one of the two ways, or arms it if it is disarmed.
func (o *operator) disarm(on string) {
	o.isDisarmed = !o.isDisarmed
	if !o.isDisarmed {
		o.add(o.at, on, "%s", ha.CommandArm)
		return
	}
	o.everDisarmed = true
	o.add(o.at, on, "%s %s", ha.CommandDisarm, pick(o.drawer, "disarm-mode", ha.DisarmFreeze,
		ha.DisarmIgnore))
}

// removeService takes a service from the manager, or gives it back.
func (o *operator) removeService(on string) {
	sid := o.sid("command-sid")
	o.removed[sid] = !o.removed[sid]
	if o.removed[sid] {
		o.add(o.at, on, "%s %s", haspec.VerbRemove, sid)
		return
	}
	o.add(o.at, on, "%s %s", haspec.VerbAdd, sid)
}

// changeService changes what the manager may do with a service, or its size.
func (o *operator) changeService(on string) {
	sid := o.sid("command-sid")
	switch o.below("property", 4) {
	case 0:
		o.add(o.at, on, "%s %s max_restart %d", haspec.VerbSet, sid, o.below("value", 4))
	case 1:
		o.add(o.at, on, "%s %s max_relocate %d", haspec.VerbSet, sid, o.below("value", 4))
	case 2:
		o.add(o.at, on, "%s %s failback %d", haspec.VerbSet, sid, o.below("value", 2))
	default:
		o.add(o.at, on, "%s %s %d %d", haspec.VerbResize, sid, 1+o.below("value", 8),
			512<<o.below("memory", 2))
	}
}

// restartDaemon restarts the agent, or stops a daemon or the node and starts it again a little later.
func (o *operator) restartDaemon(on string) {
	if o.at < o.busyUntil[on] {
		return
	}
	later := o.at + pauseStep*time.Duration(1+o.below("daemon-pause", 6))
	o.busyUntil[on] = later
	switch o.below("daemon", 4) {
	case 0:
		o.add(o.at, on, "%s", haspec.VerbRestartLRM)
	case 1:
		o.add(o.at, on, "%s", haspec.VerbStopCRM)
		o.add(later, on, "%s", haspec.VerbStartCRM)
	case 2:
		o.add(o.at, on, "%s", haspec.VerbStopLRM)
		o.add(later, on, "%s", haspec.VerbStartLRM)
	default:
		o.add(o.at, on, "%s", haspec.VerbLeave)
		o.add(later, on, "%s", haspec.VerbStartLRM)
		o.add(later, on, "%s", haspec.VerbStartCRM)
	}
}

// shutDown reboots a machine, or shuts it down and switches it on later.
func (o *operator) shutDown(on string) {
	if o.at < o.busyUntil[on] {
		return
	}
	later := o.at + pauseStep*time.Duration(3+o.below("off-for", 12))
	o.busyUntil[on] = later
	if o.below("shutdown", 2) == 0 || o.at > o.scenario.Duration/shutdownsUntil {
		o.add(o.at, on, "%s", haspec.VerbReboot)
		return
	}
	o.add(o.at, on, "%s", haspec.VerbShutdown)
	o.scenario.Faults = append(o.scenario.Faults, fault.Fault{Kind: fault.PowerOn,
		At: min(later, o.scenario.Duration-1), Machines: []string{on}})
}

// lockGuest locks a guest, or unlocks it if it is locked.
func (o *operator) lockGuest(on string) {
	sid := o.sid("command-sid")
	if o.lockedSince[sid] != "" {
		delete(o.lockedSince, sid)
		o.add(o.at, on, "%s %s", haspec.VerbUnlock, sid)
		return
	}
	o.lockedSince[sid] = on
	o.add(o.at, on, "%s %s %s", haspec.VerbLock, sid, pick(o.drawer, "lock", "backup", "snapshot", "migrate"))
}

// mostCreated bounds the services that the operator creates.
const mostCreated = 3

// createService creates a new guest under the manager.
func (o *operator) createService(on string) {
	if o.created++; o.created > mostCreated {
		return
	}
	o.add(o.at, on, "%s vm:%d %s %s", haspec.VerbCreate, 900+o.created, o.machine("command-node"),
		pick(o.drawer, "created-state", ha.WantStarted, ha.WantStopped))
}

// makeMistake gives the master a command that names what does not exist, or repeats one.
func (o *operator) makeMistake(on string) {
	noNode, noService := "n99", "vm:999"
	switch o.below("mistake", 6) {
	case 0:
		o.add(o.at, on, "%s %s %s", ha.CommandMigrate, o.sid("command-sid"), noNode)
	case 1:
		o.add(o.at, on, "%s %s %s", ha.CommandRelocate, noService, o.machine("command-node"))
	case 2:
		o.add(o.at, on, "%s %s", ha.CommandEnableMaintenance, noNode)
	case 3:
		o.add(o.at, on, "%s %s", ha.CommandDisableMaintenance, noNode)
	case 4:
		o.add(o.at, on, "%s %s 10", ha.CommandStop, noService)
	default:
		sid, node := o.sid("command-sid"), o.machine("command-node")
		o.add(o.at, on, "%s %s %s", ha.CommandMigrate, sid, node)
		o.add(o.at, o.machine("also-on"), "%s %s %s", ha.CommandMigrate, sid, node)
	}
}

// changeSettings writes other settings of the datacenter, unless that would change how machines are fenced.
func (o *operator) changeSettings(on string) {
	if o.fences {
		return
	}
	o.add(o.at, on, "%s %s", haspec.VerbDatacenter, pick(o.drawer, "settings", "crs: ha=basic",
		"crs: ha=static,ha-rebalance-on-start=1", "crs: ha=dynamic,ha-auto-rebalance=1", "max_workers: 1",
		"ha: shutdown_policy=migrate", "ha: shutdown_policy=freeze", "crs:"))
}

// restore adds the commands that end maintenance, arm the manager, and unlock guests. Every node runs the
// first two, so that one that is up does; arming comes first, because a disarmed manager takes no other
// command.
func (o *operator) restore(duration time.Duration) {
	for _, on := range o.scenario.Machines {
		if o.everDisarmed {
			o.add(duration, on, "%s", ha.CommandArm)
		}
		for _, node := range o.scenario.Machines {
			if o.everMaintained[node] {
				o.add(duration+restoreLater, on, "%s %s", ha.CommandDisableMaintenance, node)
			}
		}
	}
	for _, sid := range o.sids {
		if on := o.lockedSince[sid]; on != "" {
			o.add(duration, on, "%s %s", haspec.VerbUnlock, sid)
		}
	}
}
