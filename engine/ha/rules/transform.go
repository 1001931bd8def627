package rules

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Prefixes of the ids of inferred rules.
const (
	mergedPrefix   = "_merged-"
	implicitPrefix = "_implicit-negative-"
)

// Normalize drops what Check finds and completes the rest:
//
//   - positive rules that share services become one rule,
//   - what stays apart from one member of a positive rule stays apart from all members,
//   - a node rule for some members of a positive rule holds for all members.
//
// Normalizing a normalized set changes nothing.
func Normalize(set Set, nodes []string) (Set, []Problem) {
	return normalize(set.Clone(), nodes, positiveComponents)
}

// NormalizeUpstream is Normalize as Proxmox VE's manager does it: a rule that connects two sets of positive
// rules becomes part of only one of them, and a rule with disable 0 is disabled.
func NormalizeUpstream(set Set, nodes []string) (Set, []Problem) {
	out := set.Clone()
	for _, rule := range out {
		if rule.Disable != config.FlagUnset {
			rule.Disable = config.FlagOn
		}
	}
	return normalize(out, nodes, firstOverlaps)
}

func normalize(set Set, nodes []string, connect func(Set) []component) (Set, []Problem) {
	dropped := check(set, nodes, connect)
	for _, problem := range dropped {
		delete(set, problem.RuleID)
	}
	transform(set, connect)
	return set, dropped
}

// transform completes a set of rules without contradictions, in place.
func transform(set Set, connect func(Set) []component) {
	mergePositive(set, connect(set))
	implyNegative(set)
	extendNodeRules(set)
}

func mergePositive(set Set, components []component) {
	for _, c := range components {
		if len(c.ruleIDs) < 2 {
			continue
		}
		merged := &config.Rule{
			ID: mergedPrefix + strings.Join(c.ruleIDs, "-"), Kind: config.ResourceAffinity,
			Affinity: config.Positive, Resources: c.resources, Order: set[c.ruleIDs[0]].Order,
		}
		for _, id := range c.ruleIDs {
			delete(set, id)
		}
		set[merged.ID] = merged
	}
}

// implyNegative considers only the rules of the administrator: implied rules do not imply further ones.
// In a chain over two positive rules it is enough to keep apart the members that the administrator
// named, because the other members follow them.
func implyNegative(set Set) {
	var negatives []*config.Rule
	apart := map[[2]string]bool{}
	for _, id := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
		if !strings.HasPrefix(id, implicitPrefix) {
			negatives = append(negatives, set[id])
		}
		for _, a := range set[id].Resources {
			for _, b := range set[id].Resources {
				apart[[2]string{a, b}] = true
			}
		}
	}
	order := set.inferredOrder()
	for _, positive := range set.sortedIDs(config.ResourceAffinity, config.Positive) {
		for _, negative := range negatives {
			shared := intersection(set[positive].Resources, negative.Resources)
			if len(shared) != 1 {
				continue
			}
			for _, rule := range impliedBy(set[positive], negative, shared[0]) {
				if !apart[[2]string{rule.Resources[0], rule.Resources[1]}] {
					rule.Order = order
					set[rule.ID] = rule
				}
			}
		}
	}
}

func impliedBy(positive, negative *config.Rule, shared string) []*config.Rule {
	var out []*config.Rule
	for _, member := range positive.Resources {
		for _, other := range negative.Resources {
			if member == shared || other == shared {
				continue
			}
			out = append(out, &config.Rule{
				ID:        implicitPrefix + positive.ID + "-" + member + "-" + other,
				Kind:      config.ResourceAffinity,
				Affinity:  config.Negative,
				Resources: union([]string{member}, []string{other}),
			})
		}
	}
	return out
}

func extendNodeRules(set Set) {
	for _, positive := range set.sortedIDs(config.ResourceAffinity, config.Positive) {
		for _, id := range set.sortedIDs(config.NodeAffinity, "") {
			if len(intersection(set[positive].Resources, set[id].Resources)) > 0 {
				set[id].Resources = union(set[id].Resources, set[positive].Resources)
				break
			}
		}
	}
}
