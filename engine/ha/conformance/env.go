package conformance

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// shortLevel is how many characters of a level the daemons' log lines show.
const shortLevel = 4

// The recorded logs have a line break and a tab in the level of this message.
const (
	restartInMaintenance = "Restarting LRM in maintenance mode may be delayed until all services are moved"
	brokenLevel          = "\n\t  "
)

// daemonEnv is the world as one daemon of one node sees it. It serves CRMs and LRMs.
type daemonEnv struct {
	world        *world
	node         *machine
	daemon       string
	nowSeconds   int64
	sleptSeconds int
}

var (
	_ ha.CRMEnv = (*daemonEnv)(nil)
	_ ha.LRMEnv = (*daemonEnv)(nil)

	_ ha.GuestWitness        = (*daemonEnv)(nil)
	_ ha.DecisionsKnown      = (*daemonEnv)(nil)
	_ ha.UnversionedServices = (*daemonEnv)(nil)
	_ ha.DifferenceFilter    = (*daemonEnv)(nil)
)

func (e *daemonEnv) NodeName() string  { return e.node.name }
func (e *daemonEnv) NowSeconds() int64 { return e.nowSeconds }

// Sleep takes no virtual time: the clock moves once per iteration.
func (e *daemonEnv) Sleep(seconds int) { e.sleptSeconds += seconds }

func (e *daemonEnv) Log(level ha.Level, message string) {
	short := string(level)
	if message == restartInMaintenance {
		short = brokenLevel
	}
	if len(short) > shortLevel {
		short = short[:shortLevel]
	}
	e.world.logLine(short, e.nowSeconds, e.node.name+"/"+e.daemon, message)
}

func (e *daemonEnv) NewUID() string {
	e.world.uidCount++
	return fmt.Sprintf("uid-%d", e.world.uidCount)
}

func (e *daemonEnv) RefreshClusterState() bool { return !e.node.refreshBroken }
func (e *daemonEnv) Quorate() bool             { return e.world.quorate(e.node) }

func (e *daemonEnv) checkStore() error {
	if e.node.storeBroken {
		return errUnmounted
	}
	return nil
}

func (e *daemonEnv) ReadManagerStatus() (*ha.ManagerStatus, error) {
	if err := e.checkStore(); err != nil {
		return nil, err
	}
	return e.world.manager.Clone(), nil
}

func (e *daemonEnv) WriteManagerStatus(status *ha.ManagerStatus) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	// through the file format, so that nothing survives that a store would lose
	data, err := status.Encode()
	if err != nil {
		return err
	}
	decoded, err := ha.DecodeManagerStatus(data)
	if err != nil {
		return err
	}
	e.world.manager = decoded
	return nil
}

func (e *daemonEnv) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	if err := e.checkStore(); err != nil {
		return nil, err
	}
	out := make(map[string]*ha.ServiceConfig, len(e.world.services))
	for sid, cd := range e.world.services {
		out[sid] = cd.Clone()
	}
	return out, nil
}

// Decisions implements ha.DecisionsKnown.
func (e *daemonEnv) Decisions() ha.Decisions { return e.world.datacenter.Decisions }

// UnversionedServices implements ha.UnversionedServices.
func (e *daemonEnv) UnversionedServices() {}

// Deviates implements ha.DifferenceFilter.
func (e *daemonEnv) Deviates(id ha.Difference) bool {
	e.world.deviations[id] = true
	return id != e.world.suppressed
}

// ReadDatacenter implements ha.Env. The recorded world can read the file while the store is broken.
func (e *daemonEnv) ReadDatacenter() (ha.Datacenter, error) { return e.world.datacenter, nil }

func (e *daemonEnv) OpenWatchdog() (ha.Watchdog, error) {
	dog := &watchdog{world: e.world, node: e.node.name, lastFed: e.world.nowSeconds, isOpen: true}
	e.world.watchdogs = append(e.world.watchdogs, dog)
	return dog, nil
}

func (e *daemonEnv) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	if err := e.checkStore(); err != nil {
		return nil, err
	}
	if n := e.world.nodes[node]; n != nil {
		return n.lrmStatus.Clone(), nil
	}
	return &ha.LRMStatus{Results: map[string]ha.LRMResult{}}, nil
}

func (e *daemonEnv) ReadOwnLRMStatus() (*ha.LRMStatus, error) {
	return e.ReadLRMStatus(e.node.name)
}

func (e *daemonEnv) WriteLRMStatus(status *ha.LRMStatus) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	data, err := status.Encode()
	if err != nil {
		return err
	}
	decoded, err := ha.DecodeLRMStatus(data)
	if err != nil {
		return err
	}
	e.node.lrmStatus = decoded
	return nil
}

func (e *daemonEnv) NodeInfo() (map[string]ha.NodeInfo, error) {
	info := map[string]ha.NodeInfo{}
	for name, node := range e.world.nodes {
		info[name] = ha.NodeInfo{Online: e.world.quorate(node)}
	}
	return info, nil
}

const managerLock = "ha_manager_lock"

func agentLock(node string) string { return "ha_agent_" + node + "_lock" }

func (e *daemonEnv) AcquireManagerLock() bool { return e.world.acquireLock(managerLock, e) }
func (e *daemonEnv) ReleaseManagerLock() bool { return e.world.releaseLocks(managerLock, e) }
func (e *daemonEnv) AcquireAgentLock() bool   { return e.world.acquireLock(agentLock(e.node.name), e) }
func (e *daemonEnv) ReleaseAgentLock() bool   { return e.world.releaseLocks(agentLock(e.node.name), e) }
func (e *daemonEnv) AcquireNodeLock(node string) bool {
	return e.world.acquireLock(agentLock(node), e)
}

// NodeConfirmedDead implements ha.CRMEnv with the state of the virtual power supply.
func (e *daemonEnv) NodeConfirmedDead(node string) bool {
	n := e.world.nodes[node]
	return n != nil && !n.hasPower
}

// GuestRuns implements ha.GuestWitness: it asks the virtual hardware. Without it, a service that was
// configured on a node which then left would never be recovered, because nothing would prove to the
// manager that it did not run yet.
func (e *daemonEnv) GuestRuns(sid, node string) (runs, known bool) {
	n := e.world.nodes[node]
	return n != nil && n.hasPower && n.runningGuests[sid], true // a stale guest does not really run
}

func (e *daemonEnv) NodeShutdown() (shutdown, reboot bool) {
	return e.node.shutdownKind != "", e.node.shutdownKind == "reboot"
}

// ReadCRMCommands implements ha.CRMEnv. The world stops no master between the read and the write, so it
// can forget the commands at once.
func (e *daemonEnv) ReadCRMCommands() ([]ha.Command, error) {
	if err := e.checkStore(); err != nil {
		return nil, err
	}
	commands := make([]ha.Command, len(e.world.commands))
	for i, line := range e.world.commands {
		commands[i], _ = config.ParseCommand(line) // the manager refuses a line that is not a command
	}
	e.world.commands = nil
	return commands, nil
}

// CommandDecided implements ha.CRMEnv. It does nothing: the manager already logs the lines that the
// recorded logs have for a decision.
func (e *daemonEnv) CommandDecided(ha.CommandDecision) {}

func (e *daemonEnv) CRMCommandsPending() bool { return len(e.world.commands) > 0 }

func (e *daemonEnv) UpdateServiceState(sid string, requested ha.RequestedState) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	if cd := e.world.services[sid]; cd != nil {
		cd.State = requested
	}
	return nil
}

func (e *daemonEnv) UpdateServiceConfig(changed map[string]*ha.ServiceConfig) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	for sid, next := range changed {
		if e.world.services[sid] != nil {
			e.world.services[sid] = next.Clone()
		}
	}
	return nil
}

func (e *daemonEnv) StealService(sid, from, to string) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	return e.world.moveService(sid, from, to)
}

// leftoverLocks are guest locks that only mark an operation in progress.
var leftoverLocks = map[string]bool{
	"backup": true, "mounted": true, "migrate": true, "clone": true, "rollback": true, "snapshot": true,
	"snapshot-delete": true, "suspending": true, "suspended": true,
}

func (e *daemonEnv) RemoveServiceLock(sid string) (string, error) {
	if err := e.checkStore(); err != nil {
		return "", err
	}
	lock := e.world.guestLocks[sid]
	if !leftoverLocks[lock] {
		return "", nil
	}
	delete(e.world.guestLocks, sid)
	return lock, nil
}

func (e *daemonEnv) ReadGroups() (string, error) { return e.world.groupsText, e.checkStore() }
func (e *daemonEnv) ReadRules() (string, error)  { return e.world.rulesText, e.checkStore() }

func (e *daemonEnv) DeleteGroups() error {
	if err := e.checkStore(); err != nil {
		return err
	}
	e.world.groupsText = ""
	return nil
}

func (e *daemonEnv) WriteRules(text string) error {
	if err := e.checkStore(); err != nil {
		return err
	}
	e.world.rulesText = text
	return nil
}

func (e *daemonEnv) NodeVersion(node string) (string, error) {
	if n := e.world.nodes[node]; n != nil {
		return n.version, e.checkStore()
	}
	return "", e.checkStore()
}

func (e *daemonEnv) NodeStats() (map[string]ha.NodeStats, error) {
	out := map[string]ha.NodeStats{}
	for name, node := range e.world.nodes {
		stats := ha.NodeStats{MaxCPU: node.maxCPU, MaxMemBytes: node.maxMem, CPU: node.baseCPU,
			MemBytes: node.baseMem}
		for _, sid := range sortedKeys(node.runningGuests) {
			if guest := e.world.guestStats[sid]; guest != nil {
				stats.CPU += guest.cpu
				stats.MemBytes += guest.mem
			}
		}
		out[name] = stats
	}
	return out, e.checkStore()
}

func (e *daemonEnv) ServiceStats() (map[string]ha.ServiceStats, error) {
	out := map[string]ha.ServiceStats{}
	for sid, guest := range e.world.guestStats {
		out[sid] = ha.ServiceStats{
			MaxCPU: guest.maxCPU, MaxMemBytes: guest.maxMem,
			CPU: guest.cpu, MemBytes: guest.mem, HasMeasure: true,
		}
	}
	return out, e.checkStore()
}

func (e *daemonEnv) Notify(notice ha.FenceNotice) {
	e.Log("email", string(notice.Step)+": "+notice.Subject)
}
