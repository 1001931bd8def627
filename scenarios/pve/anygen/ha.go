package anygen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// haDraw draws the ha: section.
type haDraw struct {
	drawer
	limits   *haspec.Random
	scenario *scenarios.Scenario
	spec     *haspec.Spec
	sids     []string
	fences   bool // by devices
}

// drawAll draws services with their guests, rules or groups, settings, fence devices and the operator.
func (h *haDraw) drawAll() {
	h.drawServices()
	h.drawGuests()
	dc := h.drawDatacenter()
	h.drawFence(&dc)
	h.spec.Datacenter = config.FormatDatacenter(dc)
	switch {
	case h.limits.CommandEvery == 0:
	case h.oneIn("requests", 4):
		h.spec.Operations = &haspec.Operations{Clients: 1 + h.below("request-clients", 3),
			Count: max(int(h.scenario.Duration/h.limits.CommandEvery), 1)}
	default:
		o := newOperator(h)
		o.drawCommands()
	}
}

func (h *haDraw) machine(label string) string {
	return h.scenario.Machines[h.below(label, len(h.scenario.Machines))]
}

func (h *haDraw) sid(label string) string { return h.sids[h.below(label, len(h.sids))] }

// drawServices draws the services and the rules about where they may run.
func (h *haDraw) drawServices() {
	h.spec.Services = map[string]string{}
	resources := map[string]*ha.ServiceConfig{}
	for i := range 1 + h.below("services", h.limits.ServicesMax) {
		kind := pick(h.drawer, "kind", "vm", "vm", "ct")
		sid := fmt.Sprintf("%s:%d", kind, 100+i)
		h.sids = append(h.sids, sid)
		h.spec.Services[sid] = h.machine("home")
		service := config.DefaultService(kind)
		service.State = pick(h.drawer, "state", ha.WantStarted, ha.WantStarted, ha.WantStarted,
			ha.WantStarted, ha.WantStarted, ha.WantStopped, ha.WantDisabled, ha.WantIgnored)
		service.Failback = h.below("failback", 2) == 0
		service.MaxRestart = pick(h.drawer, "max-restart", 1, 0, 2, 3)
		service.MaxRelocate = pick(h.drawer, "max-relocate", 1, 0, 2, 3)
		resources[sid] = service
	}
	if h.oneIn("groups", 5) {
		h.drawGroups(resources)
	} else {
		h.spec.Rules = config.FormatRules(h.drawRules())
	}
	h.spec.Resources = config.FormatResources(resources)
}

// drawGroups draws groups, the predecessors of rules.
func (h *haDraw) drawGroups(resources map[string]*ha.ServiceConfig) {
	var text strings.Builder
	var names []string
	for i := range h.below("group-count", h.limits.RulesMax+1) {
		name := fmt.Sprintf("group-%d", i)
		names = append(names, name)
		var nodes []string
		for _, n := range h.someMachines("group", 1+h.below("group-least", 2)) {
			nodes = append(nodes, fmt.Sprintf("%s:%d", n, h.below("group-priority", 3)))
		}
		fmt.Fprintf(&text, "group: %s\n\tnodes %s\n", name, strings.Join(nodes, ","))
		for _, flag := range []string{"restricted", "nofailback"} {
			if h.oneIn("group-"+flag, 3) {
				fmt.Fprintf(&text, "\t%s 1\n", flag)
			}
		}
		text.WriteString("\n")
	}
	for _, sid := range h.sids {
		if at := h.below("group-of-one", len(names)+1); at > 0 {
			resources[sid].Group = names[at-1]
		}
	}
	h.spec.Groups = text.String()
}

// someMachines draws at least so many machines.
func (h *haDraw) someMachines(label string, least int) (names []string) {
	all := h.scenario.Machines
	least = min(least, len(all))
	first := h.below(label+"-node", len(all))
	for i := range least + h.below(label+"-nodes", len(all)-least+1) {
		names = append(names, all[(first+i)%len(all)])
	}
	return names
}

// drawRules draws rules. In most runs each service is in at most one rule of each kind, so that no rule
// contradicts another by itself; in some runs rules overlap, and some are disabled.
func (h *haDraw) drawRules() map[string]*config.Rule {
	rules := map[string]*config.Rule{}
	overlap := h.oneIn("overlap", 4)
	free := map[string][]string{config.NodeAffinity: h.sids, config.ResourceAffinity: h.sids}
	for i := range h.below("rules", h.limits.RulesMax+1) {
		r := &config.Rule{ID: fmt.Sprintf("rule-%d", i), Kind: config.NodeAffinity, Order: i + 1}
		least, most := 1, 3
		if h.below("rule-kind", 2) == 1 {
			r.Kind, least, most = config.ResourceAffinity, 2, 3
			r.Affinity = pick(h.drawer, "affinity", config.Positive, config.Negative)
		}
		count := least + h.below("members", most-least+1)
		left := slices.Clone(free[r.Kind])
		if len(left) < count {
			continue
		}
		for range count {
			at := h.below("member", len(left))
			r.Resources = append(r.Resources, left[at])
			left = slices.Delete(left, at, at+1)
		}
		if !overlap {
			free[r.Kind] = left
		}
		slices.Sort(r.Resources)
		if r.Kind == config.NodeAffinity {
			least = 1
			if h.oneIn("strict", 3) {
				r.Strict, least = config.FlagOn, 2
			}
			r.Nodes = map[string]int{}
			for _, n := range h.someMachines("rule", least) {
				r.Nodes[n] = h.below("priority", 3)
			}
		}
		if h.oneIn("rule-disabled", 8) {
			r.Disable = config.FlagOn
		}
		rules[r.ID] = r
	}
	return rules
}

// drawGuests draws how guests behave, and how large machines and guests are.
func (h *haDraw) drawGuests() {
	h.spec.Flaws, h.spec.Guests = map[string]haspec.Flaw{}, map[string]haspec.Guest{}
	flawed, sized := h.oneIn("flaws", 2), h.oneIn("sizes", 3)
	for _, sid := range h.sids {
		if flawed && h.oneIn("flaw", 3) {
			h.spec.Flaws[sid] = h.drawFlaw()
		}
		if sized && h.oneIn("size", 2) {
			h.spec.Guests[sid] = h.drawGuest()
		}
	}
	if h.oneIn("guest-times", 3) {
		h.spec.GuestTimes = haspec.GuestTimes{Start: pickTime(h.drawer, "start-time", time.Second, 2, 6, 15),
			Stop: pickTime(h.drawer, "stop-time", time.Second, 2, 12, 30, 70)}
	}
	if h.oneIn("migration", 3) {
		h.spec.Migration.MiBPerSecond = pick(h.drawer, "migration-speed", 64, 32, 16)
	}
	if h.oneIn("node-sizes", 6) {
		h.spec.Nodes = map[string]haspec.Node{}
		for _, m := range h.scenario.Machines {
			h.spec.Nodes[m] = haspec.Node{CPUs: pick(h.drawer, "cpus", 24, 4, 64),
				MemoryMiB: pick(h.drawer, "memory", 128<<10, 8<<10, 512<<10)}
		}
	}
}

// failsAlways is how many starts fail of a guest that cannot be started on a machine at all.
const failsAlways = 1000

func (h *haDraw) drawFlaw() haspec.Flaw {
	switch h.below("flaw-kind", 3) {
	case 0:
		return haspec.Flaw{Starts: 1 + h.below("flaw-starts", 3)}
	case 1:
		return haspec.Flaw{Starts: failsAlways, On: []string{h.machine("flaw-on")}}
	}
	f := haspec.Flaw{Moves: 1 + h.below("flaw-moves", 3)}
	if h.oneIn("flaw-on-some", 2) {
		f.On = h.someMachines("flaw", 1)
	}
	return f
}

func (h *haDraw) drawGuest() haspec.Guest {
	g := haspec.Guest{Cores: 1 + h.below("cores", 8), MemoryMiB: 512 << h.below("guest-memory", 2)}
	if h.oneIn("load", 2) {
		half := h.scenario.Duration / 2
		g.Load = []haspec.Load{{CPUPercent: 50 * h.below("load-first", 5), MemoryMiB: g.MemoryMiB / 2},
			{At: half, CPUPercent: 50 * h.below("load-second", 5), MemoryMiB: g.MemoryMiB}}
	}
	return g
}

// drawDatacenter draws the settings of the datacenter, but for fencing.
func (h *haDraw) drawDatacenter() ha.Datacenter {
	dc := ha.DefaultDatacenter()
	dc.ShutdownPolicy = pick(h.drawer, "shutdown-policy", dc.ShutdownPolicy, ha.PolicyConditional,
		ha.PolicyFreeze, ha.PolicyFailover, ha.PolicyMigrate)
	if h.oneIn("workers", 3) {
		dc.MaxWorkers = 1 + h.below("max-workers", 3)
	}
	if !h.oneIn("crs", 2) {
		return dc
	}
	dc.CRS.Mode = pick(h.drawer, "crs-mode", ha.SchedBasic, ha.SchedStatic, ha.SchedDynamic)
	dc.CRS.RebalanceOnStart = h.oneIn("rebalance-on-start", 3)
	if h.oneIn("auto-rebalance", 3) {
		dc.CRS.AutoRebalance = true
		dc.CRS.Method = pick(h.drawer, "rebalance-method", ha.RebalanceBruteforce, ha.RebalanceTopsis)
		dc.CRS.HoldRounds = pick(h.drawer, "hold-rounds", dc.CRS.HoldRounds, 1, 6)
	}
	return dc
}
