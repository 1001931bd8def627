package pve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// Bounds of what may be drawn.
const (
	MaxRandomServices = 200
	MaxRandomRules    = 40
	maxRandomCommands = 1000
)

// RandomStream is the stream from which the cluster and the operator's commands are drawn.
const RandomStream = "ha"

// checkRandom refuses a random cluster that cannot be drawn for its scenario.
func checkRandom(s *scenarios.Scenario, spec *Spec) error {
	h, r := spec.HA, spec.HA.Random
	switch {
	case len(h.Services)+len(h.Commands)+len(h.EndsOn) > 0 || h.Resources+h.Rules+h.Groups+h.Datacenter != "":
		return fmt.Errorf("random: services, rules and commands are drawn; leave them out beside it")
	case r.MachinesMin < 0 || r.MachinesMin > len(s.Machines):
		return fmt.Errorf("random.machines_min: %d is out of range; write 1 to %d, or leave the key out", r.MachinesMin, len(s.Machines))
	case r.MachinesMin > 0 && (len(s.Faults) > 0 || len(spec.Votes) > 0 || spec.CorosyncConf != ""):
		return fmt.Errorf("random.machines_min: faults, votes and corosync_conf name machines that may not be drawn; leave them or this key out")
	case r.ServicesMax < 1 || r.ServicesMax > MaxRandomServices:
		return fmt.Errorf("random.services_max: %d is out of range; write 1 to %d", r.ServicesMax, MaxRandomServices)
	case r.RulesMax < 0 || r.RulesMax > MaxRandomRules:
		return fmt.Errorf("random.rules_max: %d is out of range; write 0 to %d", r.RulesMax, MaxRandomRules)
	case r.CommandEvery < 0 || r.CommandEvery > 0 && s.Duration/r.CommandEvery > maxRandomCommands:
		return fmt.Errorf("random.command_every: %v is out of range; write at least %v", r.CommandEvery, s.Duration/maxRandomCommands)
	}
	return nil
}

// Vary implements scenarios.Varier: it draws the cluster of a scenario that leaves it to the seed.
func (s *Subject) Vary(sc *scenarios.Scenario, choices func(stream, label string) fault.Chooser) (*scenarios.Scenario,
	scenarios.Subject, error) {
	if s.spec.HA == nil || s.spec.HA.Random == nil {
		return sc, s, nil
	}
	random := s.spec.HA.Random
	d := &drawing{random: random, draw: func(label string, n int) int {
		if n <= 1 {
			return 0
		}
		return int(choices(RandomStream, label).Choose(uint64(n)))
	}}
	varied := *sc
	varied.Machines = sc.Machines[:d.machines(len(sc.Machines))]
	d.nodes = varied.Machines
	spec := s.spec
	spec.HA = &haspec.Spec{RecoverWithin: s.spec.HA.RecoverWithin, Services: map[string]string{}}
	d.into(spec.HA, sc.Duration)
	varied.Subject.Node, varied.Subject.Value = nil, spec
	subject, err := Decode(&varied)
	return &varied, subject, err
}

// drawing draws one cluster.
type drawing struct {
	random *haspec.Random
	draw   func(label string, n int) int
	nodes  []string
	sids   []string
}

func (d *drawing) machines(all int) int {
	least := d.random.MachinesMin
	if least == 0 {
		return all
	}
	return least + d.draw("machines", all-least+1)
}

func (d *drawing) into(h *haspec.Spec, duration time.Duration) {
	resources := map[string]*ha.ServiceConfig{}
	for i := range 1 + d.draw("services", d.random.ServicesMax) {
		kind := []string{"vm", "vm", "ct"}[d.draw("kind", 3)]
		sid := fmt.Sprintf("%s:%d", kind, 100+i)
		d.sids = append(d.sids, sid)
		h.Services[sid] = d.node("home")
		resources[sid] = d.service(kind)
	}
	h.Resources = config.FormatResources(resources)
	h.Rules = config.FormatRules(d.rules())
	h.Datacenter = []string{"", "", "crs: ha=static\n", "crs: ha=static,ha-rebalance-on-start=1\n",
		"crs: ha=static,ha-auto-rebalance=1\n", "max_workers: 1\n"}[d.draw("datacenter", 6)]
	if d.random.CommandEvery > 0 {
		o := &drawnOperator{drawing: d, maintained: map[string]bool{}, everMaintained: map[string]bool{}, gone: map[string]bool{}}
		h.Commands = o.commands(duration)
	}
}

func (d *drawing) node(label string) string { return d.nodes[d.draw(label, len(d.nodes))] }

func (d *drawing) service(kind string) *ha.ServiceConfig {
	cd := config.DefaultService(kind)
	cd.State = []string{ha.WantStarted, ha.WantStarted, ha.WantStarted, ha.WantStarted, ha.WantStarted,
		ha.WantStarted, ha.WantStopped, ha.WantDisabled}[d.draw("state", 8)]
	cd.Failback = d.draw("failback", 2) == 0
	cd.MaxRestart = (1 + d.draw("max-restart", 3)) % 3
	cd.MaxRelocate = (1 + d.draw("max-relocate", 3)) % 3
	return cd
}

// rules are as many as drawn, as far as there are services left: each is in at most one rule of
// each kind, so that no rule contradicts another by itself.
func (d *drawing) rules() map[string]*config.Rule {
	rules := map[string]*config.Rule{}
	free := map[string][]string{config.NodeAffinity: d.sids, config.ResourceAffinity: d.sids}
	for i := range d.draw("rules", d.random.RulesMax+1) {
		r := &config.Rule{ID: fmt.Sprintf("rule-%d", i), Kind: config.NodeAffinity, Order: i + 1}
		least, most := 1, 3
		if d.draw("rule-kind", 2) == 1 {
			r.Kind, least, most = config.ResourceAffinity, 2, 3
			r.Affinity = []string{config.Positive, config.Negative}[d.draw("affinity", 2)]
		}
		count := least + d.draw("members", most-least+1)
		if len(free[r.Kind]) < count {
			continue
		}
		for range count {
			at := d.draw("member", len(free[r.Kind]))
			r.Resources = append(r.Resources, free[r.Kind][at])
			free[r.Kind] = slices.Delete(slices.Clone(free[r.Kind]), at, at+1)
		}
		slices.Sort(r.Resources)
		if r.Kind == config.NodeAffinity {
			d.affine(r)
		}
		rules[r.ID] = r
	}
	return rules
}

// affine draws the nodes of a rule. A strict one names at least two.
func (d *drawing) affine(r *config.Rule) {
	least := 1
	if d.draw("strict", 3) == 2 {
		r.Strict, least = config.FlagOn, 2
	}
	r.Nodes = map[string]int{}
	first := d.draw("rule-node", len(d.nodes))
	for i := range least + d.draw("rule-nodes", len(d.nodes)-least+1) {
		r.Nodes[d.nodes[(first+i)%len(d.nodes)]] = d.draw("priority", 3)
	}
}

// drawnOperator draws what the operator does, knowing what was done before.
type drawnOperator struct {
	*drawing
	maintained map[string]bool
	gone       map[string]bool // services that were removed
	disarmed   bool
	// everMaintained and everDisarmed: commands may be lost, so being taken back does not count.
	everMaintained map[string]bool
	everDisarmed   bool
}

// restoreLater is how long after the end of the faults the last commands come.
const restoreLater = 25 * time.Second

// commandSteps is how finely the time of a command within its slot is drawn.
const commandSteps = 64

func (o *drawnOperator) commands(duration time.Duration) (out []haspec.Command) {
	every := o.random.CommandEvery
	for begin := time.Duration(0); begin+every <= duration; begin += every {
		at := begin + every/commandSteps*time.Duration(o.draw("command-at", commandSteps))
		on, run := o.node("command-on"), o.command()
		if run != "" {
			out = append(out, haspec.Command{At: at, On: on, Run: run})
		}
	}
	// Somebody brings back what is away, from wherever there is a machine: a disarmed manager would
	// not listen to anything else.
	for _, on := range o.nodes {
		if o.everDisarmed {
			out = append(out, haspec.Command{At: duration, On: on, Run: config.CommandArm})
		}
		for _, node := range o.nodes {
			if o.everMaintained[node] {
				out = append(out, haspec.Command{At: duration + restoreLater, On: on, Run: config.CommandDisableMaintenance + " " + node})
			}
		}
	}
	return out
}

// command draws one line. The first choice is to do nothing.
func (o *drawnOperator) command() string {
	what, sid, node := o.draw("command", 16), o.sids[o.draw("command-sid", len(o.sids))], o.node("command-node")
	value := o.draw("command-value", 4)
	switch {
	case what < 4:
		return ""
	case what < 7:
		return strings.Join([]string{config.CommandMigrate, sid, node}, " ")
	case what < 9:
		return strings.Join([]string{config.CommandRelocate, sid, node}, " ")
	case what < 11:
		return "set " + sid + " state " + []string{ha.WantStarted, ha.WantStarted, ha.WantStopped, ha.WantDisabled}[value]
	case what == 11:
		return fmt.Sprintf("%s %s %d", config.CommandStop, sid, value*10)
	case what < 14:
		return o.maintain(node)
	case what == 14:
		return o.arm(value)
	}
	o.gone[sid] = !o.gone[sid]
	if o.gone[sid] {
		return "remove " + sid
	}
	return "add " + sid
}

// maintain takes a node out or, when one is out already, that one back in.
func (o *drawnOperator) maintain(node string) string {
	for _, out := range o.nodes {
		if o.maintained[out] {
			delete(o.maintained, out)
			return config.CommandDisableMaintenance + " " + out
		}
	}
	o.maintained[node], o.everMaintained[node] = true, true
	return config.CommandEnableMaintenance + " " + node
}

func (o *drawnOperator) arm(value int) string {
	if o.disarmed {
		o.disarmed = false
		return config.CommandArm
	}
	o.disarmed, o.everDisarmed = true, true
	return config.CommandDisarm + " " + []string{ha.DisarmFreeze, ha.DisarmIgnore}[value%2]
}
