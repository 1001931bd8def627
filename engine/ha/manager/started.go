package manager

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

func (m *Manager) stepStarted(
	sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, res *ha.LRMResult,
) error {
	if !m.nodes.isOnline(sd.Node) {
		m.fenceIfLost(sid, sd)
		if m.nodes.stateOf(sd.Node) != ha.NodeMaintenance {
			return nil
		}
		// A node that went away in maintenance must be left even if that requires fencing it. The next
		// pass of this round sets the state that is chosen below back to fence, but the way back is
		// stored.
		sd.MaintenanceNode = sd.Node
	}
	switch cd.State {
	case ha.WantDisabled, ha.WantStopped:
		m.changeState(sid, serviceChange{state: ha.RequestStop})
		return nil
	case ha.WantStarted:
	default:
		m.env.Log(ha.LevelErr,
			fmt.Sprintf("service '%s' - unknown state '%s' in service configuration", sid, cd.State))
		return nil
	}
	if cmd := sd.Cmd; len(cmd) > 0 {
		sd.Cmd = nil
		return m.executeOnStarted(sid, cd, sd, cmd)
	}
	tryNext := false
	if res != nil {
		var done bool
		if tryNext, done = m.judgeStart(sid, cd, sd, res); done {
			return nil
		}
	}
	m.placeStarted(sid, cd, sd, res != nil, tryNext)
	return nil
}

// executeOnStarted executes a command that has waited with a started service.
func (m *Manager) executeOnStarted(
	sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, cmd ha.PendingCommand,
) error {
	verb := cmd.Verb()
	argument, ok := cmd.Argument()
	switch {
	case cmd.Moves() && ok:
		if m.moveAllowed(sid, sd, verb, argument) {
			m.env.Log(ha.LevelInfo, fmt.Sprintf("%s service '%s' to node '%s'", verb, sid, argument))
			m.changeState(sid, serviceChange{state: movingState(verb), node: sd.Node, target: argument})
		}
	case verb == ha.CommandStop && ok:
		seconds, err := strconv.Atoi(argument)
		if err != nil {
			m.env.Log(ha.LevelErr, fmt.Sprintf("unknown stop timeout '%s' for service '%s'", argument, sid))
			return nil
		}
		if err := m.env.UpdateServiceState(sid, ha.WantStopped); err != nil {
			sd.Cmd = cmd // nothing was done, so the next round executes it
			return err
		}
		cd.State = ha.WantStopped
		if seconds == 0 {
			m.env.Log(ha.LevelInfo, fmt.Sprintf("request immediate service hard-stop for service '%s'", sid))
		} else {
			m.env.Log(ha.LevelInfo,
				fmt.Sprintf("request graceful stop with timeout '%d' for service '%s'", seconds, sid))
		}
		timeout := ha.Int(seconds)
		m.changeState(sid, serviceChange{state: ha.RequestStop, timeout: &timeout})
	default:
		m.env.Log(ha.LevelErr, fmt.Sprintf("unknown command '%s' for service '%s'", verb, sid))
	}
	return nil
}

// judgeStart evaluates the result of a start. tryNext means that another node must be tried; done means
// that the service is in state error, or that its node is asked again.
func (m *Manager) judgeStart(
	sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, res *ha.LRMResult,
) (tryNext, done bool) {
	if res.ExitCode == ha.ExitUnknownService && m.repeatCommand(sid, sd) {
		return false, true
	}
	switch res.ExitCode {
	case ha.ExitSuccess:
		if len(sd.FailedNodes) > 0 {
			m.env.Log(ha.LevelInfo,
				fmt.Sprintf("relocation policy successful for '%s' on node '%s', failed nodes: %s",
					sid, sd.Node, strings.Join(sd.FailedNodes, ", ")))
		}
		sd.FailedNodes = nil
		sd.Running = 1
		return false, false
	case ha.ExitError, ha.ExitWrongNode:
		sd.Running = 0
		m.recordFailure(sd)
		if len(sd.FailedNodes) <= cd.MaxRelocate {
			m.env.Log(ha.LevelWarning, fmt.Sprintf(
				"starting service %s on node '%s' failed, relocating service.", sid, sd.Node))
			return true, false
		}
		m.env.Log(ha.LevelErr,
			fmt.Sprintf("recovery policy for service %s failed, entering error state. Failed nodes: %s",
				sid, strings.Join(sd.FailedNodes, ", ")))
	default:
		m.recordFailure(sd)
		m.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' got unrecoverable error (exit code %d)", sid,
			res.ExitCode))
	}
	m.changeState(sid, serviceChange{state: ha.Error})
	return false, true
}

// recordFailure counts a failed start. The same node can count more than once, so that the attempts with
// a service that cannot leave its node end as well.
func (m *Manager) recordFailure(sd *ha.ServiceStatus) {
	sd.FailedNodes = append(sd.FailedNodes, sd.Node)
}

// placeStarted moves a started service when another node is better; otherwise its LRM continues to
// supervise it.
func (m *Manager) placeStarted(
	sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, answered, tryNext bool,
) {
	preference := preferCurrent
	if tryNext {
		preference = preferNext
	}
	node := m.chooseNode(sid, cd, sd, preference)
	if node != "" && node != sd.Node {
		m.moveStarted(sid, cd, sd, node)
		return
	}
	if tryNext && node == "" {
		m.env.Log(ha.LevelWarning,
			fmt.Sprintf("Start Error Recovery: Tried all available nodes for service '%s', "+
				"retry start on current node. Tried nodes: %s", sid, strings.Join(sd.FailedNodes, ", ")))
	}
	if sd.MaintenanceNode != "" && sd.MaintenanceNode == sd.Node && m.nodes.isOnline(sd.Node) {
		// it never left the node, for example because the whole cluster went down
		m.env.Log(ha.LevelInfo, fmt.Sprintf(
			"service '%s': clearing stale maintenance node '%s' setting (is current node)", sid,
			sd.MaintenanceNode))
		sd.MaintenanceNode = ""
	}
	if answered {
		// A new uid lets the LRM start the service again if it stops. It is set only after the result of
		// the old uid was seen; otherwise failures would go unnoticed.
		sd.UID = m.env.NewUID()
	}
}

func (m *Manager) moveStarted(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, node string) {
	if back := sd.MaintenanceNode; back != "" {
		if node == back {
			m.env.Log(ha.LevelInfo, fmt.Sprintf(
				"moving service '%s' back to '%s', node came back from maintenance.", sid, back))
			sd.MaintenanceNode = ""
		} else if sd.Node != back {
			m.env.Log(ha.LevelInfo, fmt.Sprintf("dropping maintenance fallback node '%s' for '%s'", back,
				sid))
			sd.MaintenanceNode = ""
		}
	}
	if cd.Type == "vm" {
		m.env.Log(ha.LevelInfo, fmt.Sprintf("migrate service '%s' to node '%s' (running)", sid, node))
		m.changeState(sid, serviceChange{state: ha.Migrate, node: sd.Node, target: node})
		return
	}
	m.env.Log(ha.LevelInfo, fmt.Sprintf("relocate service '%s' to node '%s'", sid, node))
	m.changeState(sid, serviceChange{state: ha.Relocate, node: sd.Node, target: node})
}
