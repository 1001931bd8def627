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
	env               ha.CRMEnv
	state             ha.CRMState
	manager           *Manager
	watchdog          ha.Watchdog
	refreshed         bool
	shutdownRequested bool
	idleRounds        int
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
	c.env.Log(ha.LevelInfo, "server received shutdown request")
	c.shutdownRequested = true
}

func (c *CRM) enterState(state ha.CRMState) {
	if c.state == state {
		return
	}
	c.env.Log(ha.LevelInfo, fmt.Sprintf("status change %s => %s", c.state, state))
	c.state = state
	c.manager = nil
	c.idleRounds = 0
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
			if c.mayBeActive() && c.takeLock() {
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
	if c.idleRounds++; c.idleRounds <= maxIdleRounds {
		return
	}
	c.env.Log(ha.LevelInfo,
		fmt.Sprintf("cluster had no service configured for %d rounds, going idle.", maxIdleRounds))
	c.closeWatchdog()
	c.env.ReleaseManagerLock()
	c.enterState(ha.CRMWaitForQuorum)
}

// mayBeActive reports whether this node could be master now and whether there is work for a master.
func (c *CRM) mayBeActive() bool {
	if !c.env.Quorate() || !c.refreshed {
		return false
	}
	status, err := c.env.ReadManagerStatus()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read manager status: %v", err))
		return false
	}
	if status.NodeStatus[c.env.NodeName()] == ha.NodeFence {
		return false // other nodes fence this one
	}
	for _, sd := range status.ServiceStatus {
		if sd.Node == c.env.NodeName() && sd.State == ha.Fence {
			return false
		}
	}
	services, err := c.env.ReadServiceConfig()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read service config: %v", err))
		return false
	}
	return len(services) > 0 || c.masterNotNeeded(status)
}

// masterNotNeeded reports whether a cluster without services needs a master.
func (c *CRM) masterNotNeeded(status *ha.ManagerStatus) bool {
	if status.MasterNode != "" && status.MasterNode != c.env.NodeName() && status.Timestamp > 0 &&
		c.env.NowSeconds()-status.Timestamp <= masterAliveSeconds {
		return false // another master does the work
	}
	for node, state := range status.NodeStatus {
		if state == ha.NodeMaintenance && status.NodeRequest[node].Maintenance == 0 {
			return true
		}
	}
	return c.env.CRMCommandsPending() || len(status.ServiceStatus) > 0 || status.Disarm != nil
}

// mayBeIdle reports whether the cluster no longer needs a master.
func (c *CRM) mayBeIdle() bool {
	if !c.refreshed {
		return false
	}
	status, err := c.env.ReadManagerStatus()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read manager status: %v", err))
		return false
	}
	services, err := c.env.ReadServiceConfig()
	if err != nil {
		c.env.Log(ha.LevelErr, fmt.Sprintf("could not read service config: %v", err))
		return false
	}
	return len(services) == 0 && len(status.ServiceStatus) == 0 && status.Disarm == nil
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
		if c.state == ha.CRMMaster && c.manager != nil && c.manager.disarmed() {
			return true
		}
		status, err := c.env.ReadManagerStatus()
		if err == nil && status.Disarm != nil && status.Disarm.State == ha.DisarmDisarmed {
			c.env.Log(ha.LevelInfo, "taking over as disarmed master, skipping watchdog")
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
		if c.env.ReleaseManagerLock() {
			c.env.Log(ha.LevelInfo, "voluntary release CRM lock")
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
	case c.manager.disarmed() && c.watchdog != nil:
		c.env.Log(ha.LevelInfo, "HA stack fully disarmed, releasing CRM watchdog")
		c.closeWatchdog()
	case !c.manager.disarmed() && c.watchdog == nil:
		c.env.Log(ha.LevelInfo, "re-arming HA stack")
		if c.openWatchdog() {
			c.watchdog.Feed()
		}
	}
	return nil
}
