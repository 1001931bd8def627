package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Pauses and bounds of the CRM.
const (
	masterRoundSeconds = 10
	idleRoundSeconds   = 5
	maxIdleRounds      = 90
	// masterAliveSeconds is how old its status may be before a master counts as dead. It is used when
	// only idle work needs a master.
	masterAliveSeconds = 30
	lockAttempts       = 6
	lockAttemptPause   = 1
	lockAttemptSeconds = 5
)

// CRM is the cluster resource manager of one node.
type CRM struct {
	// IdleFactor multiplies the number of rounds without work after which the CRM goes idle; 0 means 1.
	IdleFactor int

	env               ha.CRMEnv
	state             ha.CRMState
	manager           *Manager
	watchdog          ha.Watchdog
	refreshed         bool
	shutdownRequested bool
	idleRounds        int // without work, in a row
	// disarmed is true while this CRM works without watchdog because HA is disarmed.
	disarmed bool
}

// NewCRM returns a CRM without state and without locks.
func NewCRM(env ha.CRMEnv) *CRM {
	c := &CRM{env: env, state: ha.CRMStartup}
	c.enterState(ha.CRMWaitForQuorum)
	return c
}

// State returns the state the CRM is in.
func (c *CRM) State() ha.CRMState { return c.state }

// RequestShutdown asks the CRM to exit. A master gives its lock back in its next round.
func (c *CRM) RequestShutdown() {
	if !c.shutdownRequested {
		c.env.Log(ha.LevelInfo, "server received shutdown request")
	}
	c.shutdownRequested = true
}

func (c *CRM) enterState(state ha.CRMState) {
	if c.state == state {
		return
	}
	c.env.Log(ha.LevelInfo, fmt.Sprintf("status change %s => %s", c.state, state))
	if c.disarmed && c.state == ha.CRMMaster && c.deviates(ha.DiffDisarmedReturn) {
		c.disarmed = false
	}
	c.state = state
	c.manager = nil
}

// deviates reports whether a deliberate difference from Proxmox VE's manager applies to this decision.
func (c *CRM) deviates(id ha.Difference) bool { return ha.Deviate(c.env, c.decisions(), id) }

// decisions returns the setting of the cluster, as far as it is known without reading.
func (c *CRM) decisions() ha.Decisions {
	if c.manager != nil {
		return c.manager.settings.Decisions
	}
	if env, ok := c.env.(ha.DecisionsKnown); ok {
		return env.Decisions()
	}
	return ha.DecisionsStrict
}

// Round runs one round.
func (c *CRM) Round() ha.Round {
	c.refreshed = c.env.RefreshClusterState()
	c.changeState()
	switch c.state {
	case ha.CRMMaster:
		return c.masterRound()
	case ha.CRMLostManagerLock:
		// no status is written from now on, so the watchdog protects nothing
		c.closeWatchdog()
		if c.shutdownRequested {
			return ha.Round{Exit: true}
		}
		c.enterState(ha.CRMWaitForQuorum)
		return ha.Round{}
	}
	if c.shutdownRequested {
		return ha.Round{Exit: true}
	}
	return ha.Round{PauseSeconds: idleRoundSeconds}
}

func (c *CRM) changeState() {
	switch c.state {
	case ha.CRMWaitForQuorum:
		if c.mayBeActive() {
			if c.takeLock() {
				c.enterState(ha.CRMMaster)
			} else {
				c.enterState(ha.CRMSlave)
			}
		}
	case ha.CRMSlave:
		if !c.mayBeActive() {
			c.enterState(ha.CRMWaitForQuorum)
		} else if c.takeLock() {
			c.enterState(ha.CRMMaster)
		}
	case ha.CRMMaster:
		if !c.takeLock() {
			c.enterState(ha.CRMLostManagerLock)
			// the lock may be back at once
			if c.decisions() != ha.DecisionsUpstream && c.mayBeActive() && c.takeLock() {
				c.deviates(ha.DiffLockAtOnce)
				c.enterState(ha.CRMMaster)
			}
			return
		}
		c.countIdle()
	}
}

func (c *CRM) countIdle() {
	if !c.mayBeIdle() {
		c.idleRounds = 0
		return
	}
	limit := maxIdleRounds * max(1, c.IdleFactor)
	if c.idleRounds++; c.idleRounds <= limit {
		return
	}
	c.env.Log(ha.LevelInfo,
		fmt.Sprintf("cluster had no service configured for %d rounds, going idle.", limit))
	c.idleRounds = 0
	c.closeWatchdog()
	c.env.ReleaseManagerLock()
	c.enterState(ha.CRMWaitForQuorum)
}

// mayBeActive reports whether this node could be master now and whether there is work for a master.
func (c *CRM) mayBeActive() bool {
	status := c.readStatus()
	if status == nil || c.mustBeFenced(status) {
		return false
	}
	services, err := c.env.ReadServiceConfig()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read service config: %v", err))
		return false
	}
	return len(services) > 0 || c.masterNeededWithoutServices(status)
}

// readStatus returns the manager status, nil when this node has no quorum or no current view of the
// cluster, or cannot read it.
func (c *CRM) readStatus() *ha.ManagerStatus {
	isCurrent := c.env.Quorate() && c.refreshed
	if !isCurrent && c.deviates(ha.DiffBrokenStore) {
		return nil
	}
	status, err := c.env.ReadManagerStatus()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read manager status: %v", err))
		return nil
	}
	if !isCurrent {
		return nil
	}
	return status
}

// mustBeFenced reports whether other nodes fence this one.
func (c *CRM) mustBeFenced(status *ha.ManagerStatus) bool {
	for _, sd := range status.ServiceStatus {
		if sd.Node == c.env.NodeName() && sd.State == ha.Fence {
			return true
		}
	}
	return status.NodeStatus[c.env.NodeName()] == ha.NodeFence && c.state != ha.CRMMaster &&
		c.deviates(ha.DiffFencedMaster)
}

// masterNeededWithoutServices reports whether a cluster without services needs a master.
func (c *CRM) masterNeededWithoutServices(status *ha.ManagerStatus) bool {
	if c.otherMasterWorks(status) {
		return false
	}
	for node, state := range status.NodeStatus {
		if state == ha.NodeMaintenance && status.NodeRequest[node].Maintenance == 0 {
			return true
		}
	}
	return c.env.CRMCommandsPending() || len(status.ServiceStatus) > 0 || status.Disarm != nil
}

// otherMasterWorks reports whether another master does the work of a cluster without services.
func (c *CRM) otherMasterWorks(status *ha.ManagerStatus) bool {
	if status.MasterNode == "" || status.MasterNode == c.env.NodeName() {
		return false
	}
	wasOnline := status.NodeStatus[status.MasterNode] == ha.NodeOnline
	wroteLately := status.Timestamp > 0 && c.env.NowSeconds()-status.Timestamp <= masterAliveSeconds
	if wasOnline != wroteLately && !c.deviates(ha.DiffIdleMaster) {
		return wasOnline
	}
	return wroteLately
}

// mayBeIdle reports whether the cluster no longer needs a master.
func (c *CRM) mayBeIdle() bool {
	status := c.readStatus()
	if status == nil || status.Disarm != nil || c.mustBeFenced(status) {
		return false
	}
	services, err := c.env.ReadServiceConfig()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read service config: %v", err))
		return false
	}
	return len(services) == 0 && len(status.ServiceStatus) == 0
}

// takeLock takes or renews the manager lock, under the protection of the watchdog unless HA is
// disarmed.
func (c *CRM) takeLock() bool {
	start := c.env.NowSeconds()
	for attempt := 1; ; attempt++ {
		if c.env.AcquireManagerLock() {
			return c.ensureWatchdog()
		}
		if attempt == lockAttempts || c.env.NowSeconds()-start >= lockAttemptSeconds {
			return false
		}
		c.env.Sleep(lockAttemptPause)
	}
}

func (c *CRM) ensureWatchdog() bool {
	if c.watchdog == nil {
		if c.disarmed {
			return true
		}
		status, err := c.env.ReadManagerStatus()
		if err == nil && status.Disarm != nil && status.Disarm.State == ha.DisarmDisarmed {
			c.env.Log(ha.LevelInfo, "taking over as disarmed master, skipping watchdog")
			c.disarmed = true
			return true
		}
		if !c.openWatchdog() {
			c.env.ReleaseManagerLock()
			return false
		}
	}
	c.watchdog.Feed()
	return true
}

func (c *CRM) openWatchdog() bool {
	watchdog, err := c.env.OpenWatchdog()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("unable to open watchdog - %v", err))
		return false
	}
	c.watchdog = watchdog
	return true
}

func (c *CRM) closeWatchdog() {
	if c.watchdog != nil {
		c.watchdog.Close()
		c.watchdog = nil
	}
}

func (c *CRM) masterRound() ha.Round {
	if c.shutdownRequested {
		c.closeWatchdog()
		c.env.Log(ha.LevelInfo, "voluntary release CRM lock")
		if !c.env.ReleaseManagerLock() {
			c.env.Log(ha.LevelNotice, "CRM lock release failed, let the lock timeout")
		}
		return ha.Round{Exit: true}
	}
	if !c.refreshed && c.manager != nil {
		c.env.Log(ha.LevelNotice, "temporary inconsistent cluster state (cfs restart?), skip round")
		return ha.Round{PauseSeconds: masterRoundSeconds}
	}
	if err := c.runManager(); err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("got unexpected error - %v", err))
	}
	return ha.Round{PauseSeconds: masterRoundSeconds}
}

func (c *CRM) runManager() error {
	if c.manager == nil {
		manager, err := newManager(c.env)
		if err != nil {
			return err
		}
		c.manager = manager
	}
	if err := c.manager.runRound(); err != nil {
		return err
	}
	switch {
	case c.manager.disarmed() && !c.disarmed:
		c.env.Log(ha.LevelInfo, "HA stack fully disarmed, releasing CRM watchdog")
		c.closeWatchdog()
		c.disarmed = true
	case !c.manager.disarmed() && c.disarmed:
		c.env.Log(ha.LevelInfo, "re-arming HA stack")
		c.disarmed = false
		if c.openWatchdog() {
			c.watchdog.Feed()
		}
	}
	return nil
}
