package manager

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// The migration of groups to rules: the rounds before the first and each further attempt, and the
// version that all nodes need.
const (
	groupFirstRounds = 3
	groupRetryRounds = 6
	groupMinVersion  = "9.0.0~16"
	roundSeconds     = 10
)

// migrateGroups replaces the groups by rules permanently, once all nodes understand rules.
func (m *Manager) migrateGroups() error {
	text, err := m.env.ReadGroups()
	if err != nil {
		return err
	}
	groups, _, err := config.ParseGroups(text)
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return nil
	}
	if m.groupRounds--; m.groupRounds > 0 {
		return nil
	}
	m.env.Log(ha.LevelNotice, "start ha group migration...")
	ready, err := m.groupsReady()
	if err == nil && ready {
		err = m.writeGroupsAsRules(groups)
	}
	if err == nil && ready {
		m.env.Log(ha.LevelNotice, "ha groups migration successful")
		return nil
	}
	if err != nil {
		m.env.Log(ha.LevelErr, fmt.Sprintf("abort ha groups migration: %v", err))
	}
	m.groupRounds = groupRetryRounds
	m.env.Log(ha.LevelErr, "ha groups migration failed")
	m.env.Log(ha.LevelNotice, fmt.Sprintf("retry ha groups migration in %d rounds (~ %d seconds)",
		groupRetryRounds, groupRetryRounds*roundSeconds))
	return nil
}

// groupsReady reports whether every node is online, has an LRM in normal operation, and is new enough.
func (m *Manager) groupsReady() (bool, error) {
	abort := func(format string, args ...any) (bool, error) {
		m.env.Log(ha.LevelErr, "abort ha groups migration: "+fmt.Sprintf(format, args...))
		return false, nil
	}
	nodes := m.nodes.knownNodes()
	if len(nodes) == 0 {
		return abort("node list is empty")
	}
	for _, node := range nodes {
		state := m.nodes.stateOf(node)
		m.env.Log(ha.LevelNotice, fmt.Sprintf("ha groups migration: node '%s' is in state '%s'", node, state))
		if state != ha.NodeOnline {
			return abort("node '%s' is not online", node)
		}
		status, err := m.env.ReadLRMStatus(node) // the node may have joined in this round
		if err != nil {
			return false, err
		}
		lrmState, mode := status.State, status.Mode
		if lrmState == "" || mode == "" {
			return abort("could not retrieve state for lrm '%s'", node)
		}
		m.env.Log(ha.LevelNotice, fmt.Sprintf("ha groups migration: lrm '%s' is in state '%s' and mode '%s'",
			node, lrmState, mode))
		idle := lrmState == ha.LRMWaitForAgentLock && m.status.ActiveServices(node) == 0
		if !idle && lrmState != ha.LRMActive {
			return abort("lrm '%s' is not in state 'active' or 'idle'", node)
		}
		if mode != ha.ModeActive {
			return abort("lrm '%s' is not in mode 'active'", node)
		}
		version, err := m.env.NodeVersion(node)
		if err != nil {
			return false, err
		}
		if version == "" {
			return abort("could not retrieve version from node '%s'", node)
		}
		m.env.Log(ha.LevelNotice, fmt.Sprintf("ha groups migration: node '%s' has version '%s'", node,
			version))
		if compareVersions(version, groupMinVersion) < 0 {
			return abort("node '%s' needs at least pve-manager version '%s'", node, groupMinVersion)
		}
	}
	return true, nil
}

// writeGroupsAsRules writes the rules first and deletes the groups last, so that an interruption at any
// point leaves a configuration with the same meaning.
func (m *Manager) writeGroupsAsRules(groups map[string]*config.Group) error {
	text, err := m.env.ReadRules()
	if err != nil {
		return err
	}
	parsed, _, err := config.ParseRules(text)
	if err != nil {
		return err
	}
	set := rules.AddGroups(rules.Set(parsed), groups, m.services)
	if err := m.env.WriteRules(config.FormatRules(set)); err != nil {
		return err
	}
	m.env.Log(ha.LevelNotice, "ha groups migration: migration to rules config successful")
	changed := map[string]*ha.ServiceConfig{}
	for _, sid := range sortedKeys(m.services) {
		cd := m.services[sid]
		if cd.Group == "" {
			continue
		}
		next := cd.Clone()
		if group := groups[cd.Group]; group != nil && group.NoFailback {
			next.Failback = false
		}
		next.Group = ""
		changed[sid] = next
	}
	if err := m.env.UpdateServiceConfig(changed); err != nil {
		return err
	}
	for sid, next := range changed {
		m.services[sid] = next
	}
	m.env.Log(ha.LevelNotice, "ha groups migration: migration to resources config successful")
	if err := m.env.DeleteGroups(); err != nil {
		return err
	}
	m.env.Log(ha.LevelNotice, "ha groups migration: group config deletion successful")
	return nil
}
