// Package allowed computes where rules let services run, as the checks of the HA manager understand them.
//
// Package allowed never asks the HA manager and never reads a run.
package allowed

import (
	"math"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Rules are the rules in force, by id.
type Rules map[string]*config.Rule

// Nodes returns the available nodes on which the rules let a service run; nil when they may leave it
// no node. In doubt it returns fewer nodes: with node and resource rules together, a service waits for the
// best of its nodes even if others are allowed.
func (rules Rules) Nodes(sid string, available []string) []string {
	together, apart := rules.partners(sid)
	nodes := slices.Clone(available)
	for _, r := range rules {
		if r.Kind != config.NodeAffinity || !r.Enabled() || !slices.ContainsFunc(together, r.Has) {
			continue
		}
		listed := func(n string) bool { _, is := r.Nodes[n]; return is }
		mixed := apart > 0 || len(together) > 1
		if r.Strict.On() || mixed && slices.ContainsFunc(available, listed) {
			nodes = slices.DeleteFunc(nodes, func(n string) bool { return !listed(n) })
		}
		if mixed {
			best := math.MinInt
			for _, n := range nodes {
				best = max(best, r.Nodes[n])
			}
			nodes = slices.DeleteFunc(nodes, func(n string) bool { return r.Nodes[n] < best })
		}
	}
	if len(nodes) <= apart {
		return nil
	}
	return nodes
}

// partners are the services that must be where this one is, itself among them, and how many must not be
// where any of them is.
func (rules Rules) partners(sid string) (together []string, apart int) {
	together = []string{sid}
	for _, r := range rules {
		if r.Affinity == config.Positive && r.Enabled() && r.Has(sid) {
			together = append(together, r.Resources...)
		}
	}
	for _, r := range rules {
		if r.Affinity == config.Negative && r.Enabled() && slices.ContainsFunc(together, r.Has) {
			apart += len(r.Resources) - 1
		}
	}
	return together, apart
}
