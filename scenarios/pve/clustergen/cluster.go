package clustergen

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Bounds of what may be drawn.
const (
	MaxServices = 200
	MaxRules    = 40
	maxCommands = 1000
)

// Stream is the stream from which the cluster and the operator's commands are drawn.
const Stream = "ha"

// Scenario is what clustergen needs to know about the scenario whose cluster is drawn.
type Scenario struct {
	Machines []string
	Duration time.Duration
	// Named means that the scenario names machines outside of its ha: section: in faults, in votes or
	// in a corosync.conf.
	Named bool
}

// Check returns what is wrong with a random: part for its scenario; the error begins with the key.
func Check(spec *haspec.Spec, s Scenario) error {
	r := spec.Random
	least := s.Duration / maxCommands
	switch {
	case len(spec.Services)+len(spec.Commands)+len(spec.EndsOn) > 0 ||
		spec.Resources+spec.Rules+spec.Groups+spec.Datacenter != "":
		return errors.New("random: services, rules and commands are drawn; leave them out beside it")
	case r.MachinesMin < 0 || r.MachinesMin > len(s.Machines):
		return fmt.Errorf("random.machines_min: %d is out of range; write 1 to %d, or leave the key out",
			r.MachinesMin, len(s.Machines))
	case r.MachinesMin > 0 && s.Named:
		return errors.New("random.machines_min: faults, votes and corosync_conf name machines that " +
			"may not be drawn; leave them or this key out")
	case r.ServicesMax < 1 || r.ServicesMax > MaxServices:
		return fmt.Errorf("random.services_max: %d is out of range; write 1 to %d",
			r.ServicesMax, MaxServices)
	case r.RulesMax < 0 || r.RulesMax > MaxRules:
		return fmt.Errorf("random.rules_max: %d is out of range; write 0 to %d", r.RulesMax, MaxRules)
	case r.CommandEvery < 0 || r.CommandEvery > 0 && s.Duration/r.CommandEvery > maxCommands:
		return fmt.Errorf("random.command_every: %v is out of range; write at least %v",
			r.CommandEvery, least)
	}
	return nil
}

// Draw draws the machines that exist, the first ones of the scenario's, and the ha: section. Choices
// returns what draws for a stream and a label. The section keeps nothing of the one with the random:
// part except for RecoverWithin.
func Draw(spec *haspec.Spec, s Scenario, choices draw.Lists) ([]string, *haspec.Spec) {
	d := &clusterDraw{limits: spec.Random, drawBelow: func(label string, n int) int {
		if n <= 1 {
			return 0
		}
		return int(choices(Stream, label).Choose(uint64(n)))
	}}
	d.nodes = s.Machines[:d.drawMachines(len(s.Machines))]
	drawn := &haspec.Spec{RecoverWithin: spec.RecoverWithin, Services: map[string]string{}}
	d.fillSpec(drawn, s.Duration)
	return d.nodes, drawn
}

// clusterDraw draws one cluster.
type clusterDraw struct {
	limits    *haspec.Random
	drawBelow func(label string, n int) int // 0 to n-1
	nodes     []string
	sids      []string
}

// drawMachines draws how many of all machines exist.
func (d *clusterDraw) drawMachines(all int) int {
	least := d.limits.MachinesMin
	if least == 0 {
		return all
	}
	return least + d.drawBelow("machines", all-least+1)
}

// fillSpec draws the services, their rules, the datacenter's settings and the commands, in this order.
func (d *clusterDraw) fillSpec(h *haspec.Spec, duration time.Duration) {
	resources := map[string]*ha.ServiceConfig{}
	for i := range 1 + d.drawBelow("services", d.limits.ServicesMax) {
		kind := []string{"vm", "vm", "ct"}[d.drawBelow("kind", 3)]
		sid := fmt.Sprintf("%s:%d", kind, 100+i)
		d.sids = append(d.sids, sid)
		h.Services[sid] = d.drawNode("home")
		resources[sid] = d.drawService(kind)
	}
	h.Resources = config.FormatResources(resources)
	h.Rules = config.FormatRules(d.drawRules())
	h.Datacenter = []string{"", "", "crs: ha=static\n", "crs: ha=static,ha-rebalance-on-start=1\n",
		"crs: ha=static,ha-auto-rebalance=1\n", "max_workers: 1\n"}[d.drawBelow("datacenter", 6)]
	if d.limits.CommandEvery > 0 {
		o := newOperator(d)
		h.Commands = o.drawCommands(duration)
	}
}

// drawNode draws one of the nodes.
func (d *clusterDraw) drawNode(label string) string { return d.nodes[d.drawBelow(label, len(d.nodes))] }

// drawService draws the settings of a service.
func (d *clusterDraw) drawService(kind string) *ha.ServiceConfig {
	cd := config.DefaultService(kind)
	cd.State = []ha.RequestedState{ha.WantStarted, ha.WantStarted, ha.WantStarted, ha.WantStarted,
		ha.WantStarted, ha.WantStarted, ha.WantStopped, ha.WantDisabled}[d.drawBelow("state", 8)]
	cd.Failback = d.drawBelow("failback", 2) == 0
	cd.MaxRestart = (1 + d.drawBelow("max-restart", 3)) % 3
	cd.MaxRelocate = (1 + d.drawBelow("max-relocate", 3)) % 3
	return cd
}

// drawRules draws rules, as far as there are services left: each service is in at most one rule of each kind,
// so that no rule contradicts another by itself.
func (d *clusterDraw) drawRules() map[string]*config.Rule {
	rules := map[string]*config.Rule{}
	free := map[string][]string{config.NodeAffinity: d.sids, config.ResourceAffinity: d.sids}
	for i := range d.drawBelow("rules", d.limits.RulesMax+1) {
		r := &config.Rule{ID: fmt.Sprintf("rule-%d", i), Kind: config.NodeAffinity, Order: i + 1}
		least, most := 1, 3
		if d.drawBelow("rule-kind", 2) == 1 {
			r.Kind, least, most = config.ResourceAffinity, 2, 3
			r.Affinity = []string{config.Positive, config.Negative}[d.drawBelow("affinity", 2)]
		}
		count := least + d.drawBelow("members", most-least+1)
		if len(free[r.Kind]) < count {
			continue
		}
		for range count {
			at := d.drawBelow("member", len(free[r.Kind]))
			r.Resources = append(r.Resources, free[r.Kind][at])
			free[r.Kind] = slices.Delete(slices.Clone(free[r.Kind]), at, at+1)
		}
		slices.Sort(r.Resources)
		if r.Kind == config.NodeAffinity {
			d.drawNodes(r)
		}
		rules[r.ID] = r
	}
	return rules
}

// drawNodes draws the nodes of a rule. A strict one names at least two.
func (d *clusterDraw) drawNodes(r *config.Rule) {
	least := 1
	if d.drawBelow("strict", 3) == 2 {
		r.Strict, least = config.FlagOn, 2
	}
	r.Nodes = map[string]int{}
	first := d.drawBelow("rule-node", len(d.nodes))
	for i := range least + d.drawBelow("rule-nodes", len(d.nodes)-least+1) {
		r.Nodes[d.nodes[(first+i)%len(d.nodes)]] = d.drawBelow("priority", 3)
	}
}
