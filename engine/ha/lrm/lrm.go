package lrm

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Pauses and bounds of the LRM.
const (
	activeRoundSeconds      = 10
	maintenanceRoundSeconds = 5
	idleRoundSeconds        = 5
	maxIdleRounds           = 60
	lostLockGiveUpSeconds   = 90
	lockAttempts            = 6
	lockAttemptPause        = 1
	lockAttemptSeconds      = 5
)

// StatusMark remembers that a status was written since the mark was made. It belongs to the process, so
// that an LRM that replaces another one in the same process does not write before the work of its first
// round.
type StatusMark struct {
	Written bool
}

// LRM is the local resource manager of one node.
type LRM struct {
	// IdleFactor multiplies the number of rounds without a service after which the LRM goes idle; 0 means 1.
	IdleFactor int

	env        ha.LRMEnv
	executor   Executor
	statusMark *StatusMark
	state      ha.LRMState
	stateSince int64
	mode       ha.Mode
	watchdog   ha.Watchdog
	refreshed  bool

	shutdownRequested bool
	nodeGoesDown      bool // the last request was because of that
	stopsServices     bool // the services must stop as well
	stopsQueued       map[string]bool
	stopErrors        int
	idleRounds        int // without a service or a job, in a row

	services        map[string]*ha.ServiceStatus
	nodeState       ha.NodeState
	maintenance     bool
	disarmRequested bool

	lastDecisions ha.Decisions

	// movesRecalled is true once startedMoves was taken over from the previous LRM.
	movesRecalled     bool
	startedMoves      map[string]string
	resultByUID       map[string]ha.LRMResult
	hasUnprunedResult bool // a result was added since the last pruning
	restartTries      map[string]int
	jobBySID          map[string]*commandJob
}

// New returns an LRM without state and without locks.
func New(env ha.LRMEnv, exec Executor, mark *StatusMark) *LRM {
	if mark == nil {
		mark = &StatusMark{}
	}
	l := &LRM{
		env: env, executor: exec, statusMark: mark, state: ha.LRMStartup, mode: ha.ModeActive,
		services: map[string]*ha.ServiceStatus{}, resultByUID: map[string]ha.LRMResult{},
		restartTries: map[string]int{}, jobBySID: map[string]*commandJob{}, startedMoves: map[string]string{},
		stopsQueued: map[string]bool{},
	}
	l.enterState(ha.LRMWaitForAgentLock)
	return l
}

// State returns the state the LRM is in.
func (l *LRM) State() ha.LRMState { return l.state }

// Mode returns the mode that the LRM reports to the manager.
func (l *LRM) Mode() ha.Mode { return l.mode }

// WatchdogOpen reports whether the machine is reset if this LRM stops running.
func (l *LRM) WatchdogOpen() bool { return l.watchdog != nil }

func (l *LRM) enterState(state ha.LRMState) {
	if l.state == state {
		return
	}
	l.env.Log(ha.LevelInfo, fmt.Sprintf("status change %s => %s", l.state, state))
	l.state = state
	l.stateSince = l.env.NowSeconds()
}

// Round runs one round.
func (l *LRM) Round() ha.Round {
	l.refreshed = l.env.RefreshClusterState()
	l.adoptRunningMoves()
	if !l.statusMark.Written {
		// The first report of an LRM must be right. A node in maintenance that first reports that it is
		// ready gets its services back before it can correct that.
		if l.env.Quorate() && l.deviates(ha.DiffFirstStatus) {
			l.readDecisions()
		}
		if !l.writeStatus() {
			return ha.Round{PauseSeconds: idleRoundSeconds, Exit: l.shutdownRequested,
				Unfinished: l.shutdownRequested && (!l.readDecisions() || l.leavesUnstopped())}
		}
		l.statusMark.Written = true
	}
	l.readDecisions()
	l.changeState()
	switch l.state {
	case ha.LRMActive:
		return l.activeRound()
	case ha.LRMMaintenance:
		return l.maintenanceRound()
	case ha.LRMLostAgentLock:
		return l.lostRound()
	}
	if l.shutdownRequested {
		return ha.Round{Exit: true, Unfinished: l.leavesUnstopped()}
	}
	l.writeStatus()
	return ha.Round{PauseSeconds: idleRoundSeconds}
}

// readDecisions reads the manager's decisions. It returns false when they cannot be read.
func (l *LRM) readDecisions() bool {
	status, err := l.env.ReadManagerStatus()
	if err != nil {
		l.env.Log(ha.LevelErr, fmt.Sprintf("updating service status from manager failed: %v", err))
		return false
	}
	node := l.env.NodeName()
	l.services = status.ServiceStatus
	l.nodeState = status.NodeStatus[node]
	l.maintenance = status.NodeRequest[node].Maintenance != 0
	l.disarmRequested = status.Disarm != nil
	if l.shutdownRequested {
		return true // the mode that was chosen at shutdown stays
	}
	switch {
	case l.maintenance:
		l.mode = ha.ModeMaintenance
	case l.disarmRequested:
		l.mode = ha.ModeDisarm
	default:
		l.mode = ha.ModeActive
	}
	return true
}

// writeStatus publishes state, mode and results. It returns false when it could not. An LRM that must shut
// down before its first round adopts the moves of its predecessor here.
func (l *LRM) writeStatus() bool {
	if !l.env.Quorate() {
		return false
	}
	if l.adoptRunningMoves(); !l.movesRecalled {
		return false
	}
	status := &ha.LRMStatus{
		State: l.state, Mode: l.mode, Timestamp: l.env.NowSeconds(), Results: l.resultByUID,
		StartedMoves: l.startedMoves,
	}
	if err := l.env.WriteLRMStatus(status.Clone()); err != nil {
		l.env.Log(ha.LevelErr, fmt.Sprintf("unable to write lrm status file - %v", err))
		return false
	}
	return true
}

// fenceRequested reports whether the manager waits for this node's death.
func (l *LRM) fenceRequested() bool {
	if l.nodeState == ha.NodeFence {
		return true
	}
	for _, sd := range l.services {
		if sd.Node == l.env.NodeName() && sd.State == ha.Fence {
			return true
		}
	}
	return false
}

// activeServices counts the services that are on this node or move here, and that may run.
func (l *LRM) activeServices() int {
	count := 0
	for _, sd := range l.services {
		if !sd.IsActiveOn(l.env.NodeName()) {
			continue
		}
		released := l.disarmRequested && !sd.State.Moving() && sd.State != ha.Recovery && sd.State != ha.Fence
		if released && l.deviates(ha.DiffDisarmedNode) {
			continue // whatever its state is
		}
		count++
	}
	return count
}

// deviates reports whether a deliberate difference from Proxmox VE's manager applies to this decision.
func (l *LRM) deviates(id ha.Difference) bool { return ha.Deviate(l.env, l.decisions(), id) }

// decisions returns the setting of the cluster. While it cannot be read, the last one applies.
func (l *LRM) decisions() ha.Decisions {
	if settings, err := l.env.ReadDatacenter(); err == nil {
		l.lastDecisions = settings.Decisions
	}
	return l.lastDecisions
}

// takeLock takes or renews the agent lock, opens the watchdog if it is closed, and feeds it.
func (l *LRM) takeLock() bool {
	start := l.env.NowSeconds()
	for attempt := 1; ; attempt++ {
		if l.env.AcquireAgentLock() {
			break
		}
		if attempt == lockAttempts || l.env.NowSeconds()-start >= lockAttemptSeconds {
			return false
		}
		l.env.Sleep(lockAttemptPause)
	}
	if l.watchdog == nil {
		watchdog, err := l.env.OpenWatchdog()
		if err != nil {
			l.env.Log(ha.LevelErr, fmt.Sprintf("unable to open watchdog - %v", err))
			l.env.ReleaseAgentLock()
			return false
		}
		l.watchdog = watchdog
	}
	l.watchdog.Feed()
	return true
}

// releaseLock ends the protection of this node. It closes the watchdog before it gives the lock back: if
// the LRM ended in between in the other order, the open watchdog would reset the machine for nothing.
func (l *LRM) releaseLock() {
	l.closeWatchdog()
	l.env.ReleaseAgentLock()
}

func (l *LRM) closeWatchdog() {
	if l.watchdog != nil {
		l.watchdog.Close()
		l.watchdog = nil
	}
}

func (l *LRM) changeState() {
	fence := l.fenceRequested()
	switch l.state {
	case ha.LRMWaitForAgentLock:
		if !fence && l.activeServices() > 0 && l.env.Quorate() && !l.staysDisarmed() && l.takeLock() {
			l.enterState(ha.LRMActive)
		}
	case ha.LRMLostAgentLock:
		if !fence && l.env.Quorate() && l.takeLock() {
			l.enterState(ha.LRMActive)
		}
	case ha.LRMActive:
		l.leaveActive(fence)
	case ha.LRMMaintenance:
		l.leaveMaintenance(fence)
	}
}

// staysDisarmed reports whether the LRM takes no lock because HA is disarmed, or is being disarmed.
func (l *LRM) staysDisarmed() bool {
	return l.mode == ha.ModeDisarm || l.disarmRequested && l.deviates(ha.DiffDisarmedNode)
}

func (l *LRM) leaveActive(fence bool) {
	switch {
	case fence:
		l.env.Log(ha.LevelErr, "node needs to be fenced - releasing agent_lock")
		l.enterState(ha.LRMLostAgentLock)
	case !l.takeLock():
		l.enterState(ha.LRMLostAgentLock)
	case l.mode == ha.ModeMaintenance:
		l.enterState(ha.LRMMaintenance)
	case l.mode == ha.ModeDisarm && !l.movesFromHere() && l.finishJobs() == 0:
		l.env.Log(ha.LevelInfo, "HA disarm requested, releasing agent lock and watchdog")
		l.releaseLock()
		l.enterState(ha.LRMWaitForAgentLock)
	default:
		l.countIdle()
	}
}

// movesFromHere reports whether the manager waits for a move that only this LRM can execute. Without the
// move HA could not be disarmed before it is armed again.
func (l *LRM) movesFromHere() bool {
	for _, sd := range l.services {
		if sd.Node == l.env.NodeName() && sd.State.Moving() {
			return l.deviates(ha.DiffDisarmMoves)
		}
	}
	return false
}

func (l *LRM) countIdle() {
	if l.configuredHere() || l.advanceJobs() > 0 {
		l.idleRounds = 0
		return
	}
	limit := maxIdleRounds * max(1, l.IdleFactor)
	if l.idleRounds++; l.idleRounds <= limit {
		return
	}
	l.env.Log(ha.LevelInfo,
		fmt.Sprintf("node had no service configured for %d rounds, going idle.", limit))
	l.idleRounds = 0
	l.releaseLock()
	l.enterState(ha.LRMWaitForAgentLock)
}

// configuredHere reports whether any service, in any state, is on this node.
func (l *LRM) configuredHere() bool {
	for _, sd := range l.services {
		if sd.Node == l.env.NodeName() {
			return true
		}
	}
	return false
}

func (l *LRM) leaveMaintenance(fence bool) {
	switch {
	case fence:
		l.env.Log(ha.LevelErr, "node needs to be fenced during maintenance mode - releasing agent_lock")
		l.enterState(ha.LRMLostAgentLock)
	case l.mode == ha.ModeDisarm && l.activeServices() == 0 && l.finishJobs() == 0:
		l.env.Log(ha.LevelInfo, "HA disarm requested during maintenance, releasing agent lock and watchdog")
		l.releaseLock()
		l.enterState(ha.LRMWaitForAgentLock)
	case l.activeServices() > 0 || l.advanceJobs() > 0:
		if !l.takeLock() {
			l.enterState(ha.LRMLostAgentLock)
		}
	case l.mode != ha.ModeMaintenance:
		if l.takeLock() {
			l.enterState(ha.LRMActive)
		} else {
			l.enterState(ha.LRMLostAgentLock)
		}
	}
}

func (l *LRM) activeRound() ha.Round {
	exit := false
	if l.readDecisions() {
		switch {
		case l.shutdownRequested:
			exit = l.finishActive()
		case !l.refreshed:
			l.env.Log(ha.LevelNotice, "temporary inconsistent cluster state (cfs restart?), skip round")
		default:
			l.manageServices()
		}
	}
	l.writeStatus()
	return ha.Round{PauseSeconds: activeRoundSeconds, Exit: exit,
		Unfinished: exit && l.mayLeaveGuestsRunning()}
}

// finishActive releases the node once nothing of it runs. It returns true when the LRM can exit.
func (l *LRM) finishActive() (exit bool) {
	running := l.advanceJobs()
	if l.mode == ha.ModeRestart {
		l.answerArrivedMoves()
		l.declineMoves()
		if l.activeServices() > 0 || running > 0 {
			return false
		}
		l.releaseLock()
		return true
	}
	if running > 0 {
		return false
	}
	// The state is left for maintenance in the next round, as long as services have to move away.
	if l.mode == ha.ModeMaintenance && l.activeServices() > 0 && l.deviates(ha.DiffRegainedLock) {
		return false
	}
	if l.stopErrors == 0 {
		l.releaseLock()
	}
	return true
}

func (l *LRM) maintenanceRound() ha.Round {
	if !l.readDecisions() {
		return ha.Round{PauseSeconds: maintenanceRoundSeconds, Exit: !l.deviates(ha.DiffMaintenanceExit)}
	}
	exit := false
	if l.activeServices() == 0 && l.advanceJobs() == 0 {
		if l.mode == ha.ModeMaintenance {
			l.releaseLock()
		}
		exit = l.shutdownRequested
	}
	// While HA is being disarmed, a service of this node that the manager has not frozen yet still has a
	// command. It must not start after this node has given up its protection.
	if unprotected := l.watchdog == nil && l.staysDisarmed(); !exit && !unprotected {
		l.manageServices()
	}
	l.writeStatus()
	return ha.Round{PauseSeconds: maintenanceRoundSeconds, Exit: exit}
}

// lostRound runs a round without the lock. The watchdog resets the machine soon unless the lock is
// renewed.
func (l *LRM) lostRound() ha.Round {
	if !l.shutdownRequested {
		return ha.Round{PauseSeconds: idleRoundSeconds}
	}
	count := l.activeServices()
	if count == 0 {
		l.closeWatchdog()
		return ha.Round{Exit: true,
			Unfinished: l.mayLeaveGuestsRunning() || l.stopsServices && len(l.jobBySID) > 0}
	}
	l.env.Log(ha.LevelErr, fmt.Sprintf(
		"got shutdown request in state 'lost_agent_lock' - detected %d running services", count))
	if l.mode == ha.ModeRestart && l.env.NowSeconds()-l.stateSince > lostLockGiveUpSeconds {
		l.env.Log(ha.LevelErr, "lost agent lock and restart request for over 90 seconds - giving up!")
		return ha.Round{Exit: true, Unfinished: true}
	}
	return ha.Round{PauseSeconds: idleRoundSeconds}
}
