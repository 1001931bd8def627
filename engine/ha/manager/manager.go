package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// maxPasses bounds the passes over the services in one round. Every pass except the last changes a
// state, and the transitions within a round have no cycle, so only a bug can reach the bound.
const maxPasses = 1000

// Manager holds what the master knows. It exists only while its CRM is master.
type Manager struct {
	env    ha.CRMEnv
	nodes  *nodeStates
	status *ha.ManagerStatus

	settings ha.Datacenter
	// settingsRead is true once this master has read its settings.
	settingsRead bool
	services     map[string]*ha.ServiceConfig
	lrmResults   map[string]ha.LRMResult
	lrmModes     map[string]ha.Mode
	lrmStates    map[string]ha.LRMState
	// recovering holds the services that are in recovery in the published status, with the node that
	// each leaves.
	recovering map[string]string
	// unwritten is the error for which this round could not publish its status.
	unwritten error
	// lrmWritten holds the revisions at which the LRM statuses were written, by node.
	lrmWritten map[string]uint64

	ruleTables
	serviceStats map[string]ha.ServiceStats
	nodeStats    map[string]ha.NodeStats

	// failedServices are the services that had an error in this round.
	failedServices map[string]bool
	// released is true once this master has released all services for the present disarming.
	released bool
	// reportedUnprotected are the services whose node is away and that the log already reports as not
	// recovered.
	reportedUnprotected map[string]bool

	groupRounds     int
	imbalanceRounds int
}

// newManager continues from the status that the previous master wrote.
func newManager(env ha.CRMEnv) (*Manager, error) {
	old, err := env.ReadManagerStatus()
	if err != nil {
		return nil, fmt.Errorf("read manager status: %w", err)
	}
	m := &Manager{
		env:                 env,
		status:              old.Clone(),
		settings:            ha.DefaultDatacenter(),
		ruleTables:          ruleTables{compiledRules: rules.Compile(rules.Set{}, nil)},
		groupRounds:         groupFirstRounds,
		reportedUnprotected: map[string]bool{},
	}
	m.nodes = newNodeStates(env, old, m.deviates)
	m.status.MasterNode = env.NodeName()
	if err := m.updateScheduler(); err != nil {
		return nil, err
	}
	if m.settings.Decisions != ha.DecisionsUpstream {
		m.nodes.countFromTakeover()
	}
	return m, nil
}

// disarmed reports whether HA is fully switched off.
func (m *Manager) disarmed() bool {
	return m.status.Disarm != nil && m.status.Disarm.State == ha.DisarmDisarmed
}

// runRound makes the decisions of one round. On an error nothing is written, and the next round tries
// again.
func (m *Manager) runRound() error {
	m.failedServices, m.unwritten = map[string]bool{}, nil
	info, err := m.env.NodeInfo()
	if err != nil {
		return err
	}
	if err := m.readLRMs(); err != nil {
		return err
	}
	changedNodes := m.nodes.differFrom(info)
	m.nodes.updateFrom(info, m.lrmModes)
	if !m.nodes.operational(m.env.NodeName()) {
		m.env.Log(ha.LevelInfo, "master seems offline")
		return nil
	}
	if err := m.updateScheduler(); err != nil {
		return err
	}
	if m.services, err = m.env.ReadServiceConfig(); err != nil {
		return err
	}
	if err := m.migrateGroups(); err != nil {
		return err
	}
	m.noteProtected()
	if m.status.Disarm == nil {
		m.syncServices()
	}
	if err := m.readStats(); err != nil {
		return err
	}
	if err := m.updateRules(changedNodes); err != nil {
		return err
	}
	if err := m.takeCommands(); err != nil {
		return err
	}
	if err := m.makeDecisions(); err != nil {
		return err
	}
	return m.publishDecisions()
}

func (m *Manager) makeDecisions() error {
	var only map[string]bool
	if m.status.Disarm != nil {
		if only = m.handleDisarm(); only == nil {
			return nil
		}
	} else {
		m.balanceLoad()
	}
	for pass := 0; pass < maxPasses; pass++ {
		changed, err := m.stepAllServices(only)
		if err != nil || !changed {
			return err
		}
	}
	panic("ha manager: a round does not come to rest")
}

func (m *Manager) readLRMs() error {
	m.lrmResults = map[string]ha.LRMResult{}
	m.lrmModes = map[string]ha.Mode{}
	m.lrmStates, m.lrmWritten = map[string]ha.LRMState{}, map[string]uint64{}
	for _, node := range m.nodes.knownNodes() {
		status, err := m.env.ReadLRMStatus(node)
		if err != nil {
			return err
		}
		m.lrmModes[node] = status.Mode
		if status.Mode == "" {
			m.lrmModes[node] = ha.ModeActive
		}
		m.lrmStates[node], m.lrmWritten[node] = status.State, status.Written
		for _, uid := range sortedKeys(status.Results) {
			if _, known := m.lrmResults[uid]; !known {
				m.lrmResults[uid] = status.Results[uid]
			}
		}
	}
	return nil
}

func (m *Manager) updateScheduler() error {
	settings, err := m.env.ReadDatacenter()
	if err != nil {
		return err
	}
	mode := settings.CRS.Mode
	if mode != ha.SchedBasic && mode != ha.SchedStatic && mode != ha.SchedDynamic {
		settings.CRS.Mode = ha.SchedBasic
	}
	m.logSettingChanges(settings)
	m.settings, m.settingsRead = settings, true
	return nil
}

// logSettingChanges logs settings that this master uses from now on.
func (m *Manager) logSettingChanges(next ha.Datacenter) {
	switch was := m.settings.CRS.Mode; {
	case next.CRS.Mode == was:
	case m.settingsRead:
		m.env.Log(ha.LevelInfo,
			fmt.Sprintf("switching scheduler mode from '%s' to '%s'", was, next.CRS.Mode))
	default:
		m.env.Log(ha.LevelInfo, fmt.Sprintf("using scheduler mode '%s'", next.CRS.Mode))
	}
	if next.Decisions == m.settings.Decisions {
		return
	}
	switch next.Decisions {
	case ha.DecisionsStrict:
		m.env.Log(ha.LevelNotice, "decisions are strict again")
	case ha.DecisionsUpstream:
		// no line: a log of these decisions is compared with recorded ones
	default:
		m.env.Log(ha.LevelErr, fmt.Sprintf(
			"unknown setting 'decisions=%s' in datacenter.cfg, using '%s'", next.Decisions,
			ha.DecisionsStrict))
	}
}

// deviates reports whether a deliberate difference from Proxmox VE's manager applies to this decision.
func (m *Manager) deviates(id ha.Difference) bool {
	return ha.Deviate(m.env, m.settings.Decisions, id)
}

// syncServices adds newly configured services and drops those that HA no longer manages.
func (m *Manager) syncServices() {
	known := m.status.ServiceStatus
	for _, sid := range sortedKeys(m.services) {
		cd := m.services[sid]
		if known[sid] != nil || cd.State == ha.WantIgnored {
			continue
		}
		m.env.Log(ha.LevelInfo, fmt.Sprintf("adding new service '%s' on node '%s'", sid, cd.Node))
		state := ha.RequestStop
		if cd.State == ha.WantStarted {
			state = ha.RequestStart
		}
		known[sid] = &ha.ServiceStatus{State: state, Node: cd.Node, UID: m.env.NewUID()}
		m.markUnprotected(known[sid]) // the guest may be running already
	}
	for _, sid := range sortedKeys(known) {
		reason := "no config"
		if cd := m.services[sid]; cd != nil {
			if cd.State != ha.WantIgnored {
				continue
			}
			reason = "ignored state requested"
		}
		m.env.Log(ha.LevelInfo, fmt.Sprintf("removing stale service '%s' (%s)", sid, reason))
		delete(known, sid)
	}
}

// publishDecisions publishes the decisions.
func (m *Manager) publishDecisions() error {
	m.status.NodeStatus = map[string]ha.NodeState{}
	for node, state := range m.nodes.stateByNode {
		m.status.NodeStatus[node] = state
	}
	m.status.NeverSeen = m.neverSeenInUse()
	m.status.Timestamp = m.env.NowSeconds()
	m.recovering = map[string]string{}
	if m.unwritten = m.env.WriteManagerStatus(m.status.Clone()); m.unwritten != nil {
		return m.unwritten // the write may have succeeded all the same, so the stored status is not known
	}
	for sid, sd := range m.status.ServiceStatus {
		if sd.State == ha.Recovery {
			m.recovering[sid] = sd.Node
		}
	}
	return nil
}

// neverSeenInUse returns the nodes of services, and those that are being fenced, that no master has seen
// online.
func (m *Manager) neverSeenInUse() (nodes []string) {
	used := map[string]bool{}
	for _, sd := range m.status.ServiceStatus {
		used[sd.Node] = true
	}
	for _, node := range sortedKeys(m.nodes.neverSeen) {
		if used[node] || m.nodes.stateOf(node) == ha.NodeFence {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// announceRecovery makes sure that the published status contains the recovery of a service from a node
// before the service is taken from that node. Otherwise the next master would not know of the recovery:
// it would send commands to a node that the service has left, and take the answer for a failure of the
// service.
func (m *Manager) announceRecovery(sid, from string) error {
	if node, known := m.recovering[sid]; known && node == from {
		return nil
	}
	if m.unwritten != nil {
		return m.unwritten // one attempt per round is enough
	}
	return m.publishDecisions()
}
