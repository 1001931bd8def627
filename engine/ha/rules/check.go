package rules

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Reasons to drop a rule.
const (
	reasonServiceReused   = "resource '%s' is already used in another node affinity rule"
	reasonTooFewServices  = "rule is ineffective as there are less than two resources"
	reasonTooManyServices = "rule defines more resources than available nodes"
	reasonSharesNegative  = "rule shares two or more resources with a negative resource affinity rule"
	reasonSharesPositive  = "rule shares two or more resources with a positive resource affinity rule"
	reasonPriorities      = "resources are in node affinity rules with multiple priorities"
	reasonPriorityNode    = "resources are in a resource affinity rule and cannot be in a " +
		"node affinity rule with multiple priorities"
	reasonInSeveralNodeRules  = "resources are in multiple node affinity rules"
	reasonPartnersInNodeRules = "at least one resource is in a positive resource affinity rule and there " +
		"are other resources in at least one other node affinity rule already"
	reasonTooFewNodes = "two or more resources are restricted to less nodes than available to the " +
		"resources"
	reasonTooFewRuleNodes = "at least one resource is in a negative resource affinity rule and this rule " +
		"would restrict these to less nodes than available to the resources"
)

// Problem is a reason to drop a rule.
type Problem struct {
	RuleID string
	Reason string
}

// Message is the log line for the problem.
func (p Problem) Message() string {
	return fmt.Sprintf("Drop rule '%s', because %s.", p.RuleID, p.Reason)
}

type problems struct {
	byRule map[string][]string
}

func (p *problems) add(id, reason string) { p.byRule[id] = append(p.byRule[id], reason) }

// Check finds the enabled rules that contradict each other or cannot be satisfied on these nodes, sorted
// by rule. Every check sees the whole input: a rule that another check drops still counts. A rule has a
// reason once for each rule that it conflicts with.
func Check(set Set, nodes []string) []Problem { return check(set, nodes, positiveComponents) }

// check is Check, with the way in which connected positive rules are found.
func check(set Set, nodes []string, connect func(Set) []component) []Problem {
	found := &problems{byRule: map[string][]string{}}
	checkReuse(set, found)
	checkSize(set, nodes, found)
	checkContradiction(set, connect(set), found)
	checkPriorities(set, found)
	checkSplit(set, connect(set), found)
	checkTooFewNodes(set, found)
	var out []Problem
	for _, id := range sortedKeys(found.byRule) {
		for _, reason := range found.byRule[id] {
			out = append(out, Problem{RuleID: id, Reason: reason})
		}
	}
	return out
}

// checkReuse finds services in more than one node-affinity rule.
func checkReuse(set Set, found *problems) {
	users := map[string][]string{}
	for _, id := range set.sortedIDs(config.NodeAffinity, "") {
		for _, sid := range set[id].Resources {
			users[sid] = append(users[sid], id)
		}
	}
	for _, sid := range sortedKeys(users) {
		if len(users[sid]) < 2 {
			continue
		}
		for _, id := range users[sid] {
			found.add(id, fmt.Sprintf(reasonServiceReused, sid))
		}
	}
}

// checkSize finds rules with fewer than two services, and rules that keep apart more services than there
// are nodes.
func checkSize(set Set, nodes []string, found *problems) {
	for _, id := range set.sortedIDs(config.ResourceAffinity, "") {
		rule := set[id]
		if len(rule.Resources) < 2 {
			found.add(id, reasonTooFewServices)
		}
		if rule.Affinity == config.Negative && len(rule.Resources) > len(nodes) {
			found.add(id, reasonTooManyServices)
		}
	}
}

// checkContradiction finds services that are kept both together and apart.
func checkContradiction(set Set, components []component, found *problems) {
	for _, component := range components {
		for _, negative := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
			if len(intersection(component.resources, set[negative].Resources)) < 2 {
				continue
			}
			for _, positive := range component.ruleIDs {
				found.add(positive, reasonSharesNegative)
			}
			found.add(negative, reasonSharesPositive)
		}
	}
}

// checkPriorities finds affinity between services of node rules with several priorities, which is not
// defined. With such a rule all node rules for services of the affinity rule are dropped, because the
// others would confine a part of the services only.
func checkPriorities(set Set, found *problems) {
	for _, id := range set.sortedIDs(config.ResourceAffinity, "") {
		var touching []string
		several := false
		for _, nodeRule := range set.sortedIDs(config.NodeAffinity, "") {
			if len(intersection(set[nodeRule].Resources, set[id].Resources)) > 0 {
				touching = append(touching, nodeRule)
				several = several || hasPriorities(set[nodeRule])
			}
		}
		if !several {
			continue
		}
		found.add(id, reasonPriorities)
		for _, nodeRule := range touching {
			found.add(nodeRule, reasonPriorityNode)
		}
	}
}

// hasPriorities reports whether the nodes of a rule have different priorities.
func hasPriorities(rule *config.Rule) bool {
	distinct := map[int]bool{}
	for _, priority := range rule.Nodes {
		distinct[priority] = true
	}
	return len(distinct) > 1
}

// checkSplit finds services that are kept together but are in different node rules.
func checkSplit(set Set, components []component, found *problems) {
	for _, component := range components {
		var touching []string
		for _, id := range set.sortedIDs(config.NodeAffinity, "") {
			if len(intersection(component.resources, set[id].Resources)) > 0 {
				touching = append(touching, id)
			}
		}
		if len(touching) < 2 {
			continue
		}
		for _, id := range touching {
			found.add(id, reasonPartnersInNodeRules)
		}
		for _, id := range component.ruleIDs {
			found.add(id, reasonInSeveralNodeRules)
		}
	}
}

// checkTooFewNodes finds services that are kept apart but that node rules, strict or not, put on fewer
// nodes than there are services.
func checkTooFewNodes(set Set, found *problems) {
	for _, negative := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
		allowed := map[string]bool{}
		var confined, confining []string
		for _, id := range set.sortedIDs(config.NodeAffinity, "") {
			rule := set[id]
			shared := intersection(set[negative].Resources, rule.Resources)
			if len(shared) == 0 {
				continue
			}
			for node := range rule.Nodes {
				allowed[node] = true
			}
			confined = union(confined, shared)
			confining = append(confining, id)
		}
		if len(allowed) >= len(confined) {
			continue
		}
		found.add(negative, reasonTooFewNodes)
		for _, id := range confining {
			found.add(id, reasonTooFewRuleNodes)
		}
	}
}
