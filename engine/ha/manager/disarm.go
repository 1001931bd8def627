package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// delaysDisarm reports whether a service in this state is in transition, so that HA must not release it
// now.
func (m *Manager) delaysDisarm(state ha.ServiceState) bool {
	switch state {
	case ha.Fence, ha.Recovery, ha.Migrate, ha.Relocate:
		return true
	case ha.RequestStartBalance:
		return m.deviates(ha.DiffDisarmBalance)
	}
	return false
}

func (m *Manager) commandDisarm(cmd ha.Command) ha.Refusal {
	if d := m.status.Disarm; d != nil {
		m.env.Log(ha.LevelNotice,
			fmt.Sprintf("ignoring disarm-ha command - already in disarm state (%s)", d.State))
		return ha.RefusedAlreadyDisarmed
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	if cmd.Mode == ha.DisarmIgnore {
		for _, sid := range sortedKeys(m.status.ServiceStatus) {
			m.env.Log(ha.LevelInfo, fmt.Sprintf("disarm: suspending HA tracking for service '%s'", sid))
		}
	}
	m.status.Disarm, m.released = &ha.Disarm{Mode: cmd.Mode, State: ha.DisarmDisarming}, false
	return ""
}

func (m *Manager) commandArm(cmd ha.Command) ha.Refusal {
	d := m.status.Disarm
	if d == nil {
		m.env.Log(ha.LevelNotice, "ignoring arm-ha command - HA stack is not disarmed")
		return ha.RefusedNotDisarmed
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		// An LRM releases lock and watchdog when it reads the request. A move that does not end can keep the
		// service from being frozen until HA is armed again.
		if sd.Unprotected == 0 {
			m.markUnprotected(sd)
		}
		if d.Mode == ha.DisarmIgnore {
			m.resumeService(sid, sd, m.services[sid])
		}
	}
	m.status.Disarm = nil
	return ""
}

// resumeService continues with a service that was released while HA was disarmed. It may have been moved.
func (m *Manager) resumeService(sid string, sd *ha.ServiceStatus, cd *ha.ServiceConfig) {
	if cd == nil || m.delaysDisarm(sd.State) && (cd.Node == sd.Node || m.deviates(ha.DiffArrivedService)) {
		return // a service in transition was not released
	}
	sd.Unprotected = m.unprotectedMark() // its state is not known
	if cd.Node == sd.Node {
		return
	}
	m.env.Log(ha.LevelInfo, fmt.Sprintf(
		"service '%s': updating node '%s' => '%s' (changed while disarmed)", sid, sd.Node, cd.Node))
	sd.Node = cd.Node
	if m.deviates(ha.DiffRearmedResults) {
		sd.UID = m.env.NewUID() // results of the old node mean nothing here
	}
}

// handleDisarm continues to switch HA off. It returns the services that are in transition and must be
// finished first.
func (m *Manager) handleDisarm() (waiting map[string]bool) {
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		state := m.status.ServiceStatus[sid].State
		if !m.delaysDisarm(state) {
			continue
		}
		level := ha.LevelWarning
		if state.Moving() {
			level = ha.LevelInfo
		}
		m.env.Log(level, fmt.Sprintf("deferring disarm - service '%s' is in '%s' state", sid, state))
		if waiting == nil {
			waiting = map[string]bool{}
		}
		waiting[sid] = true
	}
	if waiting != nil {
		return waiting
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		if m.status.Disarm.Mode == ha.DisarmIgnore {
			m.stopTracking(sd)
		} else {
			m.freeze(sid, sd)
		}
	}
	m.released = true
	if m.lrmsReleased() && m.status.Disarm.State != ha.DisarmDisarmed {
		m.env.Log(ha.LevelInfo, "all LRMs disarmed, HA stack is now fully disarmed")
		m.status.Disarm.State = ha.DisarmDisarmed
	}
	return nil
}

// freeze freezes a service; a service in state error stays in it.
func (m *Manager) freeze(sid string, sd *ha.ServiceStatus) {
	if sd.State == ha.Freeze || sd.State == ha.Error {
		return
	}
	m.env.Log(ha.LevelInfo, fmt.Sprintf("disarm: freezing service '%s' (was '%s')", sid, sd.State))
	*sd = ha.ServiceStatus{
		State: ha.Freeze, Node: sd.Node, UID: m.env.NewUID(),
		MaintenanceNode: sd.MaintenanceNode, Unprotected: sd.Unprotected,
	}
}

// stopTracking keeps only what is needed to continue with the service later.
func (m *Manager) stopTracking(sd *ha.ServiceStatus) {
	kept := ha.ServiceStatus{State: sd.State, Node: sd.Node, UID: sd.UID, MaintenanceNode: sd.MaintenanceNode}
	if sd.State.Moving() {
		kept.Target = ha.NoTarget // a move before a start, which only ha.DecisionsUpstream forgets
	}
	if (m.released || m.disarmed()) && len(sd.Cmd) > 0 && m.deviates(ha.DiffDisarmCommands) {
		kept.Cmd = sd.Cmd
	}
	*sd = kept
}

// lrmsReleased reports whether no online node holds its lock and watchdog. A node in maintenance
// releases both by itself.
func (m *Manager) lrmsReleased() bool {
	for _, node := range m.nodes.onlineNodes() {
		if m.lrmModes[node] != ha.ModeDisarm {
			return false
		}
		if m.lrmStates[node] != ha.LRMWaitForAgentLock && m.deviates(ha.DiffDisarmLocks) {
			return false
		}
	}
	return true
}
