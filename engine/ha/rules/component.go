package rules

import (
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// component is a set of positive rules connected by shared services.
type component struct {
	// ruleIDs are sorted by the first service of each rule, then by id.
	ruleIDs []string
	// resources are those of all the rules, sorted.
	resources []string
}

// positiveRulesByFirstService returns the ids of the enabled positive rules, sorted by the first service of
// each rule, then by id.
func positiveRulesByFirstService(set Set) []string {
	ids := set.sortedIDs(config.ResourceAffinity, config.Positive)
	sort.SliceStable(ids, func(i, j int) bool {
		return set[ids[i]].Resources[0] < set[ids[j]].Resources[0]
	})
	return ids
}

// positiveComponents finds the connected sets of enabled positive rules, in order of their first
// services.
func positiveComponents(set Set) []component {
	components := firstOverlaps(set)
	for i := 0; i < len(components); i++ {
		for j := i + 1; j < len(components); j++ {
			if len(intersection(components[i].resources, components[j].resources)) == 0 {
				continue
			}
			components[i] = component{
				ruleIDs:   append(components[i].ruleIDs, components[j].ruleIDs...),
				resources: union(components[i].resources, components[j].resources),
			}
			components = append(components[:j], components[j+1:]...)
			j = i // the larger set may overlap sets that were compared before
		}
	}
	order := map[string]int{}
	for i, id := range positiveRulesByFirstService(set) {
		order[id] = i
	}
	for _, c := range components {
		sort.Slice(c.ruleIDs, func(i, j int) bool { return order[c.ruleIDs[i]] < order[c.ruleIDs[j]] })
	}
	return components
}

// firstOverlaps finds sets of enabled positive rules as Proxmox VE's manager does: each rule joins the
// first set with which it shares services. A rule that connects two sets joins only one of them.
func firstOverlaps(set Set) []component {
	var out []component
	for _, id := range positiveRulesByFirstService(set) {
		joined := false
		for i := range out {
			if len(intersection(out[i].resources, set[id].Resources)) > 0 {
				out[i].ruleIDs = append(out[i].ruleIDs, id)
				out[i].resources = union(out[i].resources, set[id].Resources)
				joined = true
				break
			}
		}
		if !joined {
			out = append(out, component{ruleIDs: []string{id}, resources: union(nil, set[id].Resources)})
		}
	}
	return out
}
