package manager

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// ruleTables holds the rules in force, and what they were made of.
type ruleTables struct {
	compiledRules *rules.Compiled
	// rulesSeen are the texts, servicesSeen the services with their groups, and nodesSeen the nodes of
	// which the tables were made.
	rulesSeen, servicesSeen string
	nodesSeen               []string
	// ruleReasons are the reasons for dropped rules that were logged last.
	ruleReasons []rules.Problem
}

// updateRules rebuilds the tables after a change of rules, groups, services or nodes.
func (m *Manager) updateRules(changedNodes bool) error {
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
		if cd.Group != "" { // a group that does not exist counts as one with defaults
			group := groups[cd.Group]
			cd.Failback = group == nil || !group.NoFailback
		}
	}
	nodes := m.nodes.knownNodes()
	seen := fmt.Sprintf("%q %q", ruleText, groupText)
	services := ""
	for _, sid := range sortedKeys(m.services) {
		services += fmt.Sprintf(" %q:%q", sid, m.services[sid].Group)
	}
	sameText, sameNodes := seen == m.rulesSeen, slices.Equal(nodes, m.nodesSeen)
	sameServices := services == m.servicesSeen
	silent := sameText && sameNodes
	if !sameServices || sameText && sameNodes == changedNodes {
		if !m.deviates(ha.DiffRuleMessages) {
			_, unversioned := m.env.(ha.UnversionedServices)
			silent, sameServices = sameText && !changedNodes, sameServices || unversioned
		}
	}
	if silent && sameServices {
		return nil
	}
	if err := m.compileRules(ruleText, groups, nodes, silent); err != nil {
		return err
	}
	m.rulesSeen, m.servicesSeen, m.nodesSeen = seen, services, nodes
	return nil
}

// addMissingGroups adds a group without nodes for each service that names one that does not exist, as
// Proxmox VE's manager does.
func (m *Manager) addMissingGroups(groups map[string]*config.Group) {
	for _, cd := range m.services {
		if cd.Group != "" && groups[cd.Group] == nil && !m.deviates(ha.DiffMissingGroup) {
			groups[cd.Group] = &config.Group{ID: cd.Group, Nodes: map[string]int{}}
		}
	}
}

// compileRules reads the rules and makes the tables of those that can be satisfied. It logs the others,
// unless silent and the reasons are the same as before.
func (m *Manager) compileRules(
	text string, groups map[string]*config.Group, nodes []string, silent bool,
) error {
	parsed, problems, err := config.ParseRules(text)
	if err != nil {
		return err
	}
	m.addMissingGroups(groups)
	all := rules.AddGroups(rules.Set(parsed), groups, m.services)
	normalize := rules.NormalizeUpstream
	if m.deviates(ha.DiffRuleReading) {
		normalize = rules.Normalize
	}
	set, dropped := normalize(all, nodes)
	m.compiledRules = rules.Compile(set, nodes)
	if len(problems) > 0 && !silent && m.deviates(ha.DiffRuleMessages) {
		for _, problem := range problems {
			m.env.Log(ha.LevelWarning, "ignoring part of the rules config, "+problem.String())
		}
	}
	if silent && slices.Equal(dropped, m.ruleReasons) {
		return nil
	}
	for _, problem := range dropped {
		m.env.Log(ha.LevelInfo, problem.Message())
	}
	m.ruleReasons = dropped
	return nil
}
