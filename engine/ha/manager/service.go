package manager

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// serviceChange is a state change: the new state and what is stored with it.
type serviceChange struct {
	state   ha.ServiceState
	node    string
	target  string
	timeout *ha.Int
}

// changeState changes the state of a service. Node, failed nodes and maintenance node survive; everything
// else belongs to the old state. The new uid invalidates the results of older commands.
func (m *Manager) changeState(sid string, to serviceChange) {
	sd := m.status.ServiceStatus[sid]
	if sd.State == to.state {
		panic(fmt.Sprintf("ha manager: service %s: no state change from %s", sid, to.state))
	}
	var details []string
	if to.node != "" {
		details = append(details, "node = "+to.node)
	}
	if to.target == ha.NoTarget {
		details = append(details, "target = ")
	} else if to.target != "" {
		details = append(details, "target = "+to.target)
	}
	if to.timeout != nil {
		details = append(details, fmt.Sprintf("timeout = %d", *to.timeout))
	}
	text := ""
	if len(details) > 0 {
		text = "  (" + strings.Join(details, ", ") + ")"
	}
	m.env.Log(ha.LevelInfo,
		fmt.Sprintf("service '%s': state changed from '%s' to '%s'%s", sid, sd.State, to.state, text))
	next := &ha.ServiceStatus{
		State: to.state, Node: sd.Node, UID: m.env.NewUID(), Target: to.target, TimeoutSeconds: to.timeout,
		FailedNodes: sd.FailedNodes, MaintenanceNode: sd.MaintenanceNode, Unprotected: sd.Unprotected,
	}
	if to.node != "" {
		next.Node = to.node
	}
	*sd = *next
}

// requestedState returns the state that the configuration requests, if nothing prevents it.
func requestedState(cd *ha.ServiceConfig) ha.ServiceState {
	if cd.State == ha.WantStarted {
		return ha.Started
	}
	return ha.RequestStop
}

// stepAllServices applies one transition to each service, or only to some, and then fences nodes. It
// reports whether anything changed.
func (m *Manager) stepAllServices(only map[string]bool) (changed bool, err error) {
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		if only != nil && !only[sid] {
			continue // while HA is being disarmed, only services in transition are finished
		}
		cd := m.services[sid]
		if cd == nil || cd.State == ha.WantIgnored {
			if m.deviates(ha.DiffUnmanagedService) {
				continue // HA no longer manages it; the next round without disarming drops it
			}
			if cd == nil {
				cd = &ha.ServiceConfig{State: ha.WantDisabled}
			}
		}
		if m.failedServices[sid] {
			continue
		}
		before := sd.State
		if err := m.stepService(sid, cd, sd); err != nil {
			if !m.deviates(ha.DiffIsolatedErrors) {
				return false, err
			}
			// an error with one service must not delay the others
			m.env.Log(ha.LevelErr, fmt.Sprintf("service '%s': got unexpected error - %v", sid, err))
			m.failedServices[sid] = true
		}
		if m.lrmModes[sd.Node] == ha.ModeRestart {
			switch sd.State {
			case ha.Started, ha.Stopped, ha.RequestStop:
				m.changeState(sid, serviceChange{state: ha.Freeze})
			}
		}
		if sd.State != before {
			changed = true
		}
	}
	return m.fenceNodes() || changed, nil
}

func (m *Manager) stepService(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus) error {
	result, answered := m.lrmResults[sd.UID]
	var res *ha.LRMResult
	if answered && sd.UID != "" {
		res = &result
	}
	switch sd.State {
	case ha.RequestStart:
		m.stepRequestStart(sid, cd, sd)
	case ha.Started:
		return m.stepStarted(sid, cd, sd, res)
	case ha.RequestStop:
		m.stepRequestStop(sid, sd, res)
	case ha.Stopped:
		m.stepStopped(sid, cd, sd)
	case ha.Migrate, ha.Relocate, ha.RequestStartBalance:
		m.stepMoving(sid, cd, sd, res)
	case ha.Recovery:
		return m.stepRecovery(sid, cd, sd)
	case ha.Freeze:
		if m.lrmModes[sd.Node] == ha.ModeActive {
			m.changeState(sid, serviceChange{state: requestedState(cd)})
			m.markUnprotected(sd) // it may have continued to run while the LRM was away
		}
	case ha.Error:
		if cd.State == ha.WantDisabled {
			sd.FailedNodes = nil
			m.changeState(sid, serviceChange{state: ha.Stopped})
		}
	case ha.Fence:
		// waits for the lock of its node, see fenceNodes
	default:
		panic(fmt.Sprintf("ha manager: service %s is in unknown state %q", sid, sd.State))
	}
	return nil
}

func (m *Manager) stepRequestStop(sid string, sd *ha.ServiceStatus, res *ha.LRMResult) {
	if res != nil {
		switch res.ExitCode {
		case ha.ExitSuccess:
			m.changeState(sid, serviceChange{state: ha.Stopped})
			return
		case ha.ExitUnknownService:
			if m.repeatCommand(sid, sd) {
				return
			}
		}
		m.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' stop failed (exit code %d)", sid, res.ExitCode))
		m.changeState(sid, serviceChange{state: ha.Error})
		return
	}
	m.fenceIfLost(sid, sd)
}

// fenceIfLost takes a service away from a node that has been away for too long.
func (m *Manager) fenceIfLost(sid string, sd *ha.ServiceStatus) {
	if m.mustFence(sid, sd) {
		m.changeState(sid, serviceChange{state: ha.Fence})
	}
}

// repeatCommand gives the LRM the same command again, with a new uid. The LRM had read the configuration
// while the service was removed from it, and now the service is configured again. It returns false when
// the answer counts as an error.
func (m *Manager) repeatCommand(sid string, sd *ha.ServiceStatus) bool {
	if !m.deviates(ha.DiffReaddedService) {
		return false
	}
	m.env.Log(ha.LevelInfo, fmt.Sprintf("service '%s' was taken out and put back, asking node '%s' again",
		sid, sd.Node))
	sd.UID = m.env.NewUID()
	return true
}

func (m *Manager) stepMoving(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus, res *ha.LRMResult) {
	if res == nil {
		m.fenceIfLost(sid, sd)
		return
	}
	switch res.ExitCode {
	case ha.ExitSuccess:
		live := sd.State == ha.Migrate
		m.changeState(sid, serviceChange{state: requestedState(cd), node: sd.Target})
		sd.Unprotected = 0 // it was moved while stopped, and starts only under protection
		if live {
			m.markUnprotected(sd)
		}
	case ha.ExitWrongNode:
		m.env.Log(ha.LevelErr,
			fmt.Sprintf("service '%s' - migration failed: service registered on wrong node!", sid))
		m.changeState(sid, serviceChange{state: ha.Error})
		m.fenceIfLost(sid, sd)
	case ha.ExitIgnored:
		m.env.Log(ha.LevelInfo, fmt.Sprintf(
			"service '%s' - rebalance-on-start request ignored - service already running", sid))
		m.changeState(sid, serviceChange{state: requestedState(cd), node: sd.Node})
		m.fenceIfLost(sid, sd)
	default:
		m.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' - migration failed (exit code %d)", sid,
			res.ExitCode))
		m.changeState(sid, serviceChange{state: requestedState(cd), node: sd.Node})
	}
}

func (m *Manager) stepStopped(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus) {
	if sd.Node != cd.Node {
		// a service can have arrived at its target although its source was fenced during the move
		m.env.Log(ha.LevelInfo, fmt.Sprintf("fixup service '%s' location (%s => %s)", sid, sd.Node, cd.Node))
		sd.Node = cd.Node
		m.markUnprotected(sd)
	}
	if cmd := sd.Cmd; len(cmd) > 0 {
		sd.Cmd = nil
		if m.executeOnStopped(sid, sd, cmd) {
			return
		}
	}
	if cd.State == ha.WantDisabled {
		return
	}
	if m.nodes.stateOf(sd.Node) != ha.NodeMaintenance && m.mustFence(sid, sd) {
		m.changeState(sid, serviceChange{state: ha.Fence})
		return
	}
	switch cd.State {
	case ha.WantStopped:
	case ha.WantStarted:
		// on any node: a better node is chosen once it is started
		m.changeState(sid, serviceChange{state: ha.RequestStart, node: sd.Node})
	default:
		m.env.Log(ha.LevelErr,
			fmt.Sprintf("service '%s' - unknown state '%s' in service configuration", sid, cd.State))
	}
}

// executeOnStopped executes a command on a stopped service. It reports whether it changed the state.
func (m *Manager) executeOnStopped(sid string, sd *ha.ServiceStatus, cmd ha.PendingCommand) bool {
	switch cmd.Verb() {
	case ha.CommandMigrate, ha.CommandRelocate:
		target, ok := cmd.Argument()
		if !ok || !m.moveAllowed(sid, sd, cmd.Verb(), target) {
			return false
		}
		m.changeState(sid, serviceChange{state: movingState(cmd.Verb()), node: sd.Node, target: target})
		return true
	case ha.CommandStop:
		m.env.Log(ha.LevelInfo, fmt.Sprintf("ignore service '%s' stop request - service already stopped",
			sid))
	default:
		m.env.Log(ha.LevelErr, fmt.Sprintf("unknown command '%s' for service '%s'", cmd.Verb(), sid))
	}
	return false
}

// movingState returns the state of a service that a command moves.
func movingState(verb ha.CommandVerb) ha.ServiceState {
	if verb == ha.CommandMigrate {
		return ha.Migrate
	}
	return ha.Relocate
}

// moveAllowed reports whether a move that has waited with a service can start, and logs why not.
func (m *Manager) moveAllowed(sid string, sd *ha.ServiceStatus, verb ha.CommandVerb, target string) bool {
	if !m.nodes.isOnline(target) {
		m.env.Log(ha.LevelErr,
			fmt.Sprintf("ignore service '%s' %s request - node '%s' not online", sid, verb, target))
		return false
	}
	if sd.Node == target {
		m.env.Log(ha.LevelInfo,
			fmt.Sprintf("ignore service '%s' %s request - service already on node '%s'", sid, verb, target))
		return false
	}
	return true
}

func (m *Manager) stepRequestStart(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus) {
	if m.settings.CRS.RebalanceOnStart {
		node := m.chooseNode(sid, cd, sd, preferBest)
		if node == "" && m.deviates(ha.DiffStartWithoutNode) {
			node = sd.Node // there is no better node
		}
		which, target := "current", node
		if node != sd.Node {
			which = "new"
		}
		if node == "" {
			target = ha.NoTarget
		}
		m.env.Log(ha.LevelInfo,
			fmt.Sprintf("service %s: re-balance selected %s node %s for startup", sid, which, node))
		if node != sd.Node {
			m.changeState(sid, serviceChange{state: ha.RequestStartBalance, node: sd.Node, target: target})
			return
		}
	}
	m.changeState(sid, serviceChange{state: ha.Started, node: sd.Node})
}

func (m *Manager) stepRecovery(sid string, cd *ha.ServiceConfig, sd *ha.ServiceStatus) error {
	if cd.Node != "" && cd.Node != sd.Node && m.deviates(ha.DiffArrivedService) {
		m.env.Log(ha.LevelInfo, fmt.Sprintf("fixup service '%s' location (%s => %s)", sid, sd.Node, cd.Node))
		m.changeState(sid, serviceChange{state: requestedState(cd), node: cd.Node})
		m.markUnprotected(sd)
		return nil
	}
	fenced := sd.Node
	node := m.chooseNode(sid, cd, sd, preferBest)
	if node == "" {
		m.env.Log(ha.LevelErr, fmt.Sprintf(
			"recovering service '%s' from fenced node '%s' failed, no recovery node found", sid, fenced))
		if cd.State == ha.WantDisabled {
			// not through request_stop, which the dead node would have to answer
			sd.FailedNodes = nil
			m.changeState(sid, serviceChange{state: ha.Stopped})
		}
		return nil
	}
	message := fmt.Sprintf("recover service '%s' from fenced node '%s' to node '%s'", sid, fenced, node)
	if node == fenced {
		message = fmt.Sprintf("recover service '%s' to previous failed and fenced node '%s' again", sid,
			fenced)
	}
	upstream := m.settings.Decisions == ha.DecisionsUpstream // which announces nothing, and always moves
	if node != fenced && !upstream {
		if err := m.announceRecovery(sid, fenced); err != nil {
			return err
		}
	}
	m.env.Log(ha.LevelInfo, message)
	lock, err := m.env.RemoveServiceLock(sid)
	if err != nil {
		return err
	}
	if lock != "" {
		m.env.Log(ha.LevelWarning, fmt.Sprintf(
			"removed leftover lock '%s' from recovered service '%s' to allow its start.", lock, sid))
	}
	if node != fenced || upstream {
		if err := m.env.StealService(sid, fenced, node); err != nil {
			return err
		}
	}
	cd.Node = node
	m.changeState(sid, serviceChange{state: requestedState(cd), node: node})
	sd.Unprotected = 0 // its old node is dead, and on the new node it starts only under protection
	return nil
}

// fenceNodes tries to prove that the nodes of services in state fence are dead. Services whose nodes are
// proven dead go to recovery. It reports whether anything changed.
func (m *Manager) fenceNodes() (changed bool) {
	fenced := map[string]bool{}
	for _, sid := range sortedKeys(m.status.ServiceStatus) {
		sd := m.status.ServiceStatus[sid]
		if sd.State != ha.Fence {
			continue
		}
		done, tried := fenced[sd.Node]
		if !tried {
			done = m.nodes.tryFence(sd.Node, m.status)
			fenced[sd.Node] = done
		}
		if done {
			m.changeState(sid, serviceChange{state: ha.Recovery})
			changed = true
		}
	}
	return m.fenceLeftovers(fenced) || changed
}

// fenceLeftovers continues to fence nodes whose services were removed since. tried are the nodes for which
// this pass has already tried it. It reports whether a node was proven dead.
func (m *Manager) fenceLeftovers(tried map[string]bool) (changed bool) {
	for _, node := range m.nodes.knownNodes() {
		if _, done := tried[node]; done || m.nodes.stateOf(node) != ha.NodeFence {
			continue
		}
		m.env.Log(ha.LevelNotice,
			fmt.Sprintf("node '%s' in fence state but no services to-fence! admin interference?!", node))
		changed = m.nodes.tryFence(node, m.status) || changed
	}
	return changed
}
