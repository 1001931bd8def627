package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
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

	settings   ha.Datacenter
	services   map[string]*ha.ServiceConfig
	lrmResults map[string]ha.LRMResult
	lrmModes   map[string]ha.Mode
	lrmStates  map[string]ha.LRMState
	// recovering holds the services that are in recovery in the published status, with the node that
	// each leaves.
	recovering map[string]string
	// unwritten is the error for which this round could not publish its status.
	unwritten error
	// lrmWritten holds the revisions at which the LRM statuses were written, by node.
	lrmWritten map[string]uint64

	compiledRules *rules.Compiled
	rulesSeen     string
	serviceStats  map[string]ha.ServiceStats
	nodeStats     map[string]ha.NodeStats

	// failedServices are the services that had an error in this round.
	failedServices map[string]bool
	// balanceSuspended are the services that were released while HA is disarmed.
	balanceSuspended map[string]bool
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
		nodes:               newNodeStates(env, old.NodeStatus),
		settings:            ha.DefaultDatacenter(),
		compiledRules:       rules.Compile(rules.Set{}, nil),
		groupRounds:         groupFirstRounds,
		reportedUnprotected: map[string]bool{},
	}
	m.status.MasterNode = env.NodeName()
	if err := m.updateScheduler(); err != nil {
		return nil, err
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
	if !m.disarmed() {
		m.syncServices()
	}
	if err := m.readStats(); err != nil {
		return err
	}
	if err := m.updateRules(); err != nil {
		return err
	}
	if err := m.takeCommands(); err != nil {
		return err
	}
	m.makeDecisions()
	return m.publishDecisions()
}

func (m *Manager) makeDecisions() {
	if m.status.Disarm != nil {
		if !m.handleDisarm() {
			return
		}
	} else {
		m.balanceLoad()
	}
	for pass := 0; pass < maxPasses; pass++ {
		if !m.stepAllServices() {
			m.fenceLeftovers()
			return
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
	if settings.CRS.Mode != m.settings.CRS.Mode {
		m.env.Log(ha.LevelInfo, fmt.Sprintf("using scheduler mode '%s'", settings.CRS.Mode))
	}
	m.settings = settings
	return nil
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

// updateRules rebuilds the tables after a change of rules, groups, services or nodes.
func (m *Manager) updateRules() error {
	ruleText, err := m.env.ReadRules()
	if err != nil {
		return err
	}
	groupText, err := m.env.ReadGroups()
	if err != nil {
		return err
	}
	groups, _, err := config.ParseGroups(groupText)
	if err != nil {
		return err
	}
	for _, cd := range m.services {
		if group := groups[cd.Group]; group != nil && group.NoFailback {
			cd.Failback = false
		}
	}
	nodes := m.nodes.knownNodes()
	seen := fmt.Sprintf("%q %q %q", ruleText, groupText, nodes)
	for _, sid := range sortedKeys(m.services) {
		seen += fmt.Sprintf(" %q:%q", sid, m.services[sid].Group)
	}
	if seen == m.rulesSeen {
		return nil
	}
	parsed, problems, err := config.ParseRules(ruleText)
	if err != nil {
		return err
	}
	for _, problem := range problems {
		m.env.Log(ha.LevelWarning, "ignoring part of the rules config, "+problem.String())
	}
	set, dropped := rules.Normalize(rules.AddGroups(rules.Set(parsed), groups, m.services), nodes)
	for _, problem := range dropped {
		m.env.Log(ha.LevelInfo, problem.Message())
	}
	m.compiledRules = rules.Compile(set, nodes)
	m.rulesSeen = seen
	return nil
}

// publishDecisions publishes the decisions.
func (m *Manager) publishDecisions() error {
	m.status.NodeStatus = map[string]ha.NodeState{}
	for node, state := range m.nodes.stateByNode {
		m.status.NodeStatus[node] = state
	}
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
