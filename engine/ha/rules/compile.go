package rules

import (
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// outsidePriority is the priority of nodes that a non-strict node rule does not name.
const outsidePriority = -1

// Compiled holds rules as tables by service.
type Compiled struct {
	// Nodes holds, for services with a node rule, the priority of every node that the service may use.
	Nodes map[string]map[string]int
	// Together and Apart list the partners of a service, sorted.
	Together, Apart map[string][]string
}

// Compile builds the tables of the enabled rules of a normalized set.
func Compile(set Set, nodes []string) *Compiled {
	out := &Compiled{
		Nodes:    map[string]map[string]int{},
		Together: map[string][]string{},
		Apart:    map[string][]string{},
	}
	for _, id := range set.sortedIDs(config.NodeAffinity, "") {
		rule := set[id]
		for _, sid := range rule.Resources {
			priorities := map[string]int{}
			for node, priority := range rule.Nodes {
				priorities[node] = priority
			}
			if !rule.Strict.On() {
				for _, node := range nodes {
					if _, named := rule.Nodes[node]; !named {
						priorities[node] = outsidePriority
					}
				}
			}
			out.Nodes[sid] = priorities
		}
	}
	for _, id := range set.sortedIDs(config.ResourceAffinity, "") {
		rule := set[id]
		table := out.Apart
		if rule.Affinity == config.Positive {
			table = out.Together
		}
		for _, sid := range rule.Resources {
			table[sid] = union(table[sid], without(rule.Resources, sid))
		}
	}
	return out
}

func without(list []string, drop string) []string {
	out := make([]string, 0, len(list))
	for _, x := range list {
		if x != drop {
			out = append(out, x)
		}
	}
	return out
}

// NodesFor returns the nodes of online that a service may use, and those of them with the highest
// priority, both sorted.
func (c *Compiled) NodesFor(sid string, online []string) (allowed, preferred []string) {
	priorities, limited := c.Nodes[sid]
	if !limited {
		allowed = append(allowed, online...)
		sort.Strings(allowed)
		return allowed, append([]string(nil), allowed...)
	}
	best := 0
	for _, node := range online {
		priority, ok := priorities[node]
		if !ok {
			continue
		}
		if len(allowed) == 0 || priority > best {
			best = priority
		}
		allowed = append(allowed, node)
	}
	for _, node := range allowed {
		if priorities[node] == best {
			preferred = append(preferred, node)
		}
	}
	sort.Strings(allowed)
	sort.Strings(preferred)
	return allowed, preferred
}
