package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// takeCommands reads the command queue, and stores or executes each command.
func (m *Manager) takeCommands() error {
	commands, err := m.env.ReadCRMCommands()
	if err != nil {
		return err
	}
	for _, cmd := range commands {
		m.env.CommandDecided(ha.CommandDecision{Command: cmd, Refused: m.takeCommand(cmd)})
	}
	return nil
}

// takeCommand stores or executes a command, or returns why it is refused.
func (m *Manager) takeCommand(cmd ha.Command) ha.Refusal {
	switch cmd.Verb {
	case ha.CommandMigrate, ha.CommandRelocate:
		return m.commandMove(cmd)
	case ha.CommandStop:
		return m.commandStop(cmd)
	case ha.CommandEnableMaintenance:
		return m.commandEnableMaintenance(cmd)
	case ha.CommandDisableMaintenance:
		return m.commandDisableMaintenance(cmd)
	case ha.CommandDisarm:
		return m.commandDisarm(cmd)
	case ha.CommandArm:
		return m.commandArm(cmd)
	}
	m.env.Log(ha.LevelErr, "unable to parse crm command: "+cmd.Line)
	return ha.RefusedUnreadable
}

// commandMove queues a migration or relocation, and those of all services that must stay together
// with it.
func (m *Manager) commandMove(cmd ha.Command) ha.Refusal {
	sd := m.status.ServiceStatus[cmd.SID]
	switch {
	case sd == nil:
		m.env.Log(ha.LevelErr, "crm command error - no such service: "+cmd.Line)
		return ha.RefusedUnknownService
	case !m.nodes.isOnline(cmd.Node):
		m.env.Log(ha.LevelErr, "crm command error - node not online: "+cmd.Line)
		return ha.RefusedNodeNotOnline
	case sd.Node == cmd.Node:
		m.env.Log(ha.LevelInfo, "ignore crm command - service already on target node: "+cmd.Line)
		return ha.RefusedAlreadyOnNode
	}
	return m.queueMove(cmd)
}

// queueMove stores the move with the service of the command, unless a service that must be kept apart is
// on the target, in whatever state.
func (m *Manager) queueMove(cmd ha.Command) ha.Refusal {
	for _, other := range m.compiledRules.Apart[cmd.SID] {
		if sd := m.status.ServiceStatus[other]; sd == nil || !m.blocksMoveTo(cmd.Node, sd) {
			continue
		}
		m.env.Log(ha.LevelErr, fmt.Sprintf(
			"crm command '%s' error - service '%s' on node '%s' in negative affinity with service '%s'",
			cmd.Line, other, cmd.Node, cmd.SID))
		return ha.RefusedKeptApart
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	m.status.ServiceStatus[cmd.SID].Cmd = ha.PendingMove(cmd.Verb, cmd.Node)
	for _, other := range m.compiledRules.Together[cmd.SID] {
		sd := m.status.ServiceStatus[other]
		if sd == nil || sd.Node == cmd.Node || sd.Target == cmd.Node {
			continue
		}
		m.env.Log(ha.LevelInfo, fmt.Sprintf("crm command '%s' - %s service '%s' to node '%s' "+
			"(service '%s' in positive affinity with service '%s')", cmd.Line, cmd.Verb, other, cmd.Node,
			other, cmd.SID))
		sd.Cmd = ha.PendingMove(cmd.Verb, cmd.Node)
	}
	return ""
}

// blocksMoveTo reports whether a service, which must be kept apart from another one, keeps the other one
// away from a node: because it is there, or because it moves to it or from it.
func (m *Manager) blocksMoveTo(node string, sd *ha.ServiceStatus) bool {
	if sd.Node != node && sd.Target != node {
		return false
	}
	return sd.Target == "" || sd.Target == ha.NoTarget || sd.Target == sd.Node ||
		m.deviates(ha.DiffMovingPartner)
}

func (m *Manager) commandStop(cmd ha.Command) ha.Refusal {
	sd := m.status.ServiceStatus[cmd.SID]
	if sd == nil {
		m.env.Log(ha.LevelErr, "crm command error - no such service: "+cmd.Line)
		return ha.RefusedUnknownService
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Line)
	sd.Cmd = ha.PendingStop(cmd.TimeoutSeconds)
	return ""
}

func (m *Manager) commandEnableMaintenance(cmd ha.Command) ha.Refusal {
	if m.status.Disarm != nil {
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"ignoring maintenance command for node %s - HA stack is disarmed", cmd.Node))
		return ha.RefusedDisarmed
	}
	switch m.nodes.stateOf(cmd.Node) {
	case ha.NodeOnline:
		request := m.status.NodeRequest[cmd.Node]
		request.Maintenance = 1
		m.status.NodeRequest[cmd.Node] = request
	case ha.NodeMaintenance:
		m.env.Log(ha.LevelInfo,
			fmt.Sprintf("ignoring crm command - node %s is already in maintenance state", cmd.Node))
		// the administrator now also requests a maintenance that a shutdown began
		if m.status.NodeRequest[cmd.Node].Maintenance == 0 && m.deviates(ha.DiffMaintenanceTwice) {
			m.status.NodeRequest[cmd.Node] = ha.NodeRequest{Maintenance: 1}
		}
	default:
		m.env.Log(ha.LevelErr, "crm command error - node not online: "+cmd.Line)
		return ha.RefusedNodeNotOnline
	}
	return ""
}

func (m *Manager) commandDisableMaintenance(cmd ha.Command) ha.Refusal {
	if state := m.nodes.stateOf(cmd.Node); state != ha.NodeMaintenance {
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"clearing maintenance of node %s requested, but it's in state %s", cmd.Node, state))
	}
	delete(m.status.NodeRequest, cmd.Node)
	return ""
}
