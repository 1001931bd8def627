package manager

import (
	"fmt"
	"strconv"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// takeCommands reads the command queue and remembers or carries out each command.
func (m *Manager) takeCommands() error {
	lines, err := m.env.ReadCRMCommands()
	if err != nil {
		return err
	}
	for _, line := range lines {
		cmd, err := config.ParseCommand(line)
		if err != nil {
			m.env.Log(ha.LevelErr, "unable to parse crm command: "+line)
			continue
		}
		switch cmd.Name {
		case config.CommandMigrate, config.CommandRelocate:
			m.commandMove(cmd)
		case config.CommandStop:
			m.commandStop(cmd)
		case config.CommandEnableMaintenance:
			m.commandEnableMaintenance(cmd)
		case config.CommandDisableMaintenance:
			m.commandDisableMaintenance(cmd)
		case config.CommandDisarm:
			m.commandDisarm(cmd)
		case config.CommandArm:
			m.commandArm(cmd)
		}
	}
	return nil
}

// commandMove queues a migration or relocation, and those of all services that must stay together
// with it.
func (m *Manager) commandMove(cmd config.Command) {
	sd := m.status.ServiceStatus[cmd.SID]
	switch {
	case sd == nil:
		m.env.Log(ha.LevelErr, "crm command error - no such service: "+cmd.Text)
	case !m.nodes.isOnline(cmd.Node):
		m.env.Log(ha.LevelErr, "crm command error - node not online: "+cmd.Text)
	case sd.Node == cmd.Node:
		m.env.Log(ha.LevelInfo, "ignore crm command - service already on target node: "+cmd.Text)
	default:
		m.queueMove(cmd.Text, cmd.Name, cmd.SID, cmd.Node)
	}
}

func (m *Manager) queueMove(text, name, sid, node string) {
	blocked := false
	for _, other := range m.compiled.Apart[sid] {
		sd := m.status.ServiceStatus[other]
		if sd == nil {
			continue
		}
		if current, target := m.occupied(sd); current == node || target == node {
			blocked = true
			m.env.Log(ha.LevelErr, fmt.Sprintf(
				"crm command '%s' error - service '%s' on node '%s' in negative affinity with service '%s'",
				text, other, node, sid))
		}
	}
	if blocked {
		return
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+text)
	m.status.ServiceStatus[sid].Cmd = []string{name, node}
	for _, other := range m.compiled.Together[sid] {
		sd := m.status.ServiceStatus[other]
		if sd == nil || sd.Node == node || sd.Target == node {
			continue
		}
		m.env.Log(ha.LevelInfo, fmt.Sprintf("crm command '%s' - %s service '%s' to node '%s' "+
			"(service '%s' in positive affinity with service '%s')", text, name, other, node, other, sid))
		sd.Cmd = []string{name, node}
	}
}

func (m *Manager) commandStop(cmd config.Command) {
	sd := m.status.ServiceStatus[cmd.SID]
	if sd == nil {
		m.env.Log(ha.LevelErr, "crm command error - no such service: "+cmd.Text)
		return
	}
	m.env.Log(ha.LevelInfo, "got crm command: "+cmd.Text)
	sd.Cmd = []string{cmd.Name, strconv.Itoa(cmd.TimeoutSeconds)}
}

func (m *Manager) commandEnableMaintenance(cmd config.Command) {
	if m.status.Disarm != nil {
		m.env.Log(ha.LevelNotice, fmt.Sprintf("ignoring %s command - HA stack is disarmed", cmd.Name))
		return
	}
	switch m.nodes.state(cmd.Node) {
	case ha.NodeOnline:
		request := m.status.NodeRequest[cmd.Node]
		request.Maintenance = 1
		m.status.NodeRequest[cmd.Node] = request
	case ha.NodeMaintenance:
		m.env.Log(ha.LevelInfo,
			fmt.Sprintf("ignoring crm command - node %s is already in maintenance state", cmd.Node))
		// what began as a shutdown's maintenance is now also the administrator's wish
		m.status.NodeRequest[cmd.Node] = ha.NodeRequest{Maintenance: 1}
	default:
		m.env.Log(ha.LevelErr, "crm command error - node not online: "+cmd.Text)
	}
}

func (m *Manager) commandDisableMaintenance(cmd config.Command) {
	if state := m.nodes.state(cmd.Node); state != ha.NodeMaintenance {
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"clearing maintenance of node %s requested, but it's in state %s", cmd.Node, state))
	}
	delete(m.status.NodeRequest, cmd.Node)
}
