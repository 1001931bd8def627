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

func (p *problems) add(id, reason string) {
	for _, known := range p.byRule[id] {
		if known == reason {
			return
		}
	}
	p.byRule[id] = append(p.byRule[id], reason)
}

// Check finds the enabled rules that contradict each other or cannot be satisfied on these nodes, sorted
// by rule. Every check sees the whole input: a rule that another check drops still counts.
func Check(set Set, nodes []string) []Problem {
	found := &problems{byRule: map[string][]string{}}
	checkReuse(set, found)
	checkSize(set, nodes, found)
	checkContradiction(set, found)
	checkPriorities(set, found)
	checkSplit(set, found)
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
func checkContradiction(set Set, found *problems) {
	for _, component := range positiveComponents(set) {
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
// defined.
func checkPriorities(set Set, found *problems) {
	for _, nodeRule := range set.sortedIDs(config.NodeAffinity, "") {
		distinct := map[int]bool{}
		for _, priority := range set[nodeRule].Nodes {
			distinct[priority] = true
		}
		if len(distinct) < 2 {
			continue
		}
		for _, id := range set.sortedIDs(config.ResourceAffinity, "") {
			if len(intersection(set[nodeRule].Resources, set[id].Resources)) > 0 {
				found.add(nodeRule, reasonPriorityNode)
				found.add(id, reasonPriorities)
			}
		}
	}
}

// checkSplit finds services that are kept together but are in different node rules.
func checkSplit(set Set, found *problems) {
	for _, component := range positiveComponents(set) {
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

// checkTooFewNodes finds services that are kept apart but confined to fewer nodes than there are services.
func checkTooFewNodes(set Set, found *problems) {
	for _, negative := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
		allowed := map[string]bool{}
		var confined, confining []string
		for _, id := range set.sortedIDs(config.NodeAffinity, "") {
			rule := set[id]
			shared := intersection(set[negative].Resources, rule.Resources)
			if !rule.Strict.On() || len(shared) == 0 {
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

// component is a set of positive rules connected by shared services.
type component struct {
	// ruleIDs are in the order of a breadth-first walk from the first id.
	ruleIDs []string
	// resources are those of all the rules, sorted.
	resources []string
}

// positiveComponents finds the connected sets of enabled positive rules, in order of their first
// ids.
func positiveComponents(set Set) []component {
	ids := set.sortedIDs(config.ResourceAffinity, config.Positive)
	seen := map[string]bool{}
	var out []component
	for _, start := range ids {
		if seen[start] {
			continue
		}
		seen[start] = true
		c := component{ruleIDs: []string{start}}
		for i := 0; i < len(c.ruleIDs); i++ {
			rule := set[c.ruleIDs[i]]
			c.resources = union(c.resources, rule.Resources)
			for _, other := range ids {
				if !seen[other] && len(intersection(rule.Resources, set[other].Resources)) > 0 {
					seen[other] = true
					c.ruleIDs = append(c.ruleIDs, other)
				}
			}
		}
		out = append(out, c)
	}
	return out
}
