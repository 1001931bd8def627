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
// The result does not change when it is normalized again on the same nodes.
func Normalize(set Set, nodes []string) (Set, []Problem) {
	out := set.Clone()
	dropped := Check(out, nodes)
	for _, problem := range dropped {
		delete(out, problem.RuleID)
	}
	mergePositive(out)
	implyNegative(out)
	extendNodeRules(out)
	return out, dropped
}

func mergePositive(set Set) {
	for _, c := range positiveComponents(set) {
		if len(c.ids) < 2 {
			continue
		}
		merged := &config.Rule{
			ID: mergedPrefix + strings.Join(c.ids, "-"), Kind: config.ResourceAffinity,
			Affinity: config.Positive, Resources: c.resources, Order: set[c.ids[0]].Order,
		}
		for _, id := range c.ids {
			merged.Order = min(merged.Order, set[id].Order)
			delete(set, id)
		}
		set[merged.ID] = merged
	}
}

// implyNegative repeats until nothing is added, since one implied pair can imply another when both
// sides are kept together with others.
func implyNegative(set Set) {
	apart := map[[2]string]bool{}
	mark := func(rule *config.Rule) {
		for _, a := range rule.Resources {
			for _, b := range rule.Resources {
				if a != b {
					apart[[2]string{a, b}] = true
				}
			}
		}
	}
	for _, id := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
		mark(set[id])
	}
	for added := true; added; {
		added = false
		for _, positive := range set.sortedIDs(config.ResourceAffinity, config.Positive) {
			for _, negative := range set.sortedIDs(config.ResourceAffinity, config.Negative) {
				shared := intersection(set[positive].Resources, set[negative].Resources)
				if len(shared) != 1 {
					continue
				}
				for _, rule := range impliedBy(set[positive], set[negative], shared[0]) {
					if apart[[2]string{rule.Resources[0], rule.Resources[1]}] {
						continue
					}
					rule.Order = set.nextOrder()
					set[rule.ID] = rule
					mark(rule)
					added = true
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
