package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// delaysDisarm reports whether a service in this state is in transition, so that HA must not release it
// now.
func delaysDisarm(state ha.ServiceState) bool {
	return state == ha.Fence || state == ha.Recovery || state.Moving()
}

func (m *Manager) commandDisarm(cmd ha.Command) ha.Refusal {
	if d := m.status.Disarm; d != nil {
		m.env.Log(ha.LevelNotice,
			fmt.Sprintf("ignoring disarm-ha command - already in disarm state (%s)", d.State))
		return ha.RefusedAlreadyDisarmed
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	m.balanceSuspended = map[string]bool{}
	m.status.Disarm = &ha.Disarm{Mode: cmd.Mode, State: ha.DisarmDisarming}
	return ""
}

func (m *Manager) commandArm(cmd ha.Command) ha.Refusal {
	d := m.status.Disarm
	if d == nil {
		m.env.Log(ha.LevelNotice, "ignoring arm-ha command - HA stack is not disarmed")
		return ha.RefusedNotDisarmed
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	if d.Mode == ha.DisarmIgnore {
		for _, sid := range sortedKeys(m.status.ServiceStatus) {
			sd, cd := m.status.ServiceStatus[sid], m.services[sid]
			if cd != nil && !delaysDisarm(sd.State) {
				sd.Unprotected = m.unprotectedMark() // it was released, so its state is not known
			}
			if cd == nil || cd.Node == sd.Node || delaysDisarm(sd.State) {
				continue
			}
			m.env.Log(ha.LevelInfo, fmt.Sprintf(
				"service '%s': updating node '%s' => '%s' (changed while disarmed)", sid, sd.Node, cd.Node))
			sd.Node, sd.UID = cd.Node, m.env.NewUID() // results of the old node mean nothing here
		}
	}
	m.status.Disarm, m.balanceSuspended = nil, nil
	return ""
}

// handleDisarm continues to switch HA off. It returns true when services that are in transition must be
// finished first.
func (m *Manager) handleDisarm() (process bool) {
	if m.status.Disarm.State == ha.DisarmDisarmed {
		return false
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		if state := m.status.ServiceStatus[sid].State; delaysDisarm(state) {
			m.env.Log(ha.LevelWarning,
				fmt.Sprintf("deferring disarm - service '%s' is in '%s' state", sid, state))
			process = true
		}
	}
	if process {
		return true
	}
	if m.balanceSuspended == nil { // a new master continues
		m.balanceSuspended = map[string]bool{}
	}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		if m.status.Disarm.Mode == ha.DisarmIgnore {
			m.stopTracking(sid, sd)
		} else {
			m.freeze(sid, sd)
		}
	}
	if m.lrmsReleased() {
		m.env.Log(ha.LevelInfo, "all LRMs disarmed, HA stack is now fully disarmed")
		m.status.Disarm.State = ha.DisarmDisarmed
	}
	return false
}

// freeze freezes a service; a service in state error stays in it.
func (m *Manager) freeze(sid string, sd *ha.ServiceStatus) {
	if sd.State == ha.Freeze || sd.State == ha.Error {
		return
	}
	m.env.Log(ha.LevelInfo, fmt.Sprintf("disarm: freezing service '%s' (was '%s')", sid, sd.State))
	*sd = ha.ServiceStatus{
		State: ha.Freeze, Node: sd.Node, UID: m.env.NewUID(),
		FailedNodes: sd.FailedNodes, MaintenanceNode: sd.MaintenanceNode, Unprotected: sd.Unprotected,
	}
}

// stopTracking keeps only what is needed to continue with the service later.
func (m *Manager) stopTracking(sid string, sd *ha.ServiceStatus) {
	if m.balanceSuspended[sid] {
		return
	}
	m.balanceSuspended[sid] = true
	m.env.Log(ha.LevelInfo, fmt.Sprintf("disarm: suspending HA tracking for service '%s'", sid))
	*sd = ha.ServiceStatus{State: sd.State, Node: sd.Node, UID: sd.UID, MaintenanceNode: sd.MaintenanceNode}
}

// lrmsReleased reports whether no online node holds its lock and watchdog. A node in maintenance
// releases both by itself.
func (m *Manager) lrmsReleased() bool {
	for _, node := range m.nodes.onlineNodes() {
		if m.lrmModes[node] != ha.ModeDisarm || m.lrmStates[node] != ha.LRMWaitForAgentLock {
			return false
		}
	}
	return true
}
