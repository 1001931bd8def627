package rules

import (
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// GroupRulePrefix begins the id of a rule that was made from an HA group.
const GroupRulePrefix = "ha-group-"

// Set is a set of rules by id.
type Set map[string]*config.Rule

// Clone returns a deep copy.
func (s Set) Clone() Set {
	out := make(Set, len(s))
	for id, rule := range s {
		out[id] = rule.Clone()
	}
	return out
}

// sortedIDs returns the ids of the enabled rules of a kind (and affinity, unless it is "").
func (s Set) sortedIDs(kind, affinity string) []string {
	var ids []string
	for id, rule := range s {
		if rule.Kind == kind && rule.Enabled() && (affinity == "" || rule.Affinity == affinity) {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}

// inferredOrder returns the order of inferred rules: one more than the smallest order.
func (s Set) inferredOrder() int {
	smallest := 0
	for _, rule := range s {
		if smallest == 0 || rule.Order < smallest {
			smallest = rule.Order
		}
	}
	return smallest + 1
}

// lastOrder returns the largest order.
func (s Set) lastOrder() int {
	largest := 0
	for _, rule := range s {
		largest = max(largest, rule.Order)
	}
	return largest
}

// AddGroups returns the rules and one node-affinity rule for each group that at least one service uses.
// A group without services gives no rule. If an interrupted migration has already made a rule of a
// group, the rule keeps its services, even those that no longer name the group.
func AddGroups(set Set, groups map[string]*config.Group, services map[string]*ha.ServiceConfig) Set {
	out := set.Clone()
	members := map[string][]string{}
	for _, sid := range sortedKeys(services) {
		if group := services[sid].Group; group != "" {
			members[group] = append(members[group], sid)
		}
	}
	for _, id := range sortedKeys(groups) {
		if len(members[id]) == 0 {
			continue
		}
		group := groups[id]
		rule := &config.Rule{
			ID: GroupRulePrefix + id, Kind: config.NodeAffinity, Resources: members[id],
			Nodes: map[string]int{}, Comment: group.Comment, Order: out.lastOrder() + 1,
		}
		for node, priority := range group.Nodes {
			rule.Nodes[node] = priority
		}
		if group.Restricted {
			rule.Strict = config.FlagOn
		}
		if made := out[rule.ID]; made != nil && made.Kind == config.NodeAffinity {
			rule.Resources, rule.Order = union(made.Resources, rule.Resources), made.Order
		}
		out[rule.ID] = rule
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func union(a, b []string) []string {
	seen := make(map[string]bool, len(a)+len(b))
	for _, x := range a {
		seen[x] = true
	}
	for _, x := range b {
		seen[x] = true
	}
	return sortedKeys(seen)
}

func intersection(a, b []string) []string {
	in := make(map[string]bool, len(a))
	for _, x := range a {
		in[x] = true
	}
	var out []string
	for _, x := range b {
		if in[x] {
			out = append(out, x)
		}
	}
	return out
}
