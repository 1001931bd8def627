package shrink

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

func cloneFaults(all []fault.Fault) []fault.Fault {
	out := slices.Clone(all)
	for i := range out {
		f := &out[i]
		f.From, f.To, f.Machines = slices.Clone(f.From), slices.Clone(f.To), slices.Clone(f.Machines)
		f.Groups = slices.Clone(f.Groups)
		for g := range f.Groups {
			f.Groups[g] = slices.Clone(f.Groups[g])
		}
	}
	return out
}

// shrinkNemesis replaces the nemesis by the faults that it drew, which can be left out one by one. If the run
// with these faults does not fail, the nemesis itself gets smaller.
func (s *search) shrinkNemesis() {
	if s.best.Scenario.Nemesis == nil {
		return
	}
	lists := draw.DeriveWith(s.best.Seed, s.best.Overrides)
	others := slices.DeleteFunc(slices.Clone(s.best.Overrides),
		func(o draw.Override) bool { return o.Stream == scenarios.NemesisStream })
	if s.acceptWith(others, s.best.Scenario.Resolved(s.options.Judge, lists)) {
		return
	}
	if s.accept(s.change(func(c *scenarios.Scenario) { c.Nemesis = nil })) >= 0 {
		return
	}
	// One kind stays: a nemesis that names none would be one of all kinds.
	removable := func() int {
		if kinds := len(s.best.Scenario.Nemesis.Kinds); kinds > 1 {
			return kinds
		}
		return 0
	}
	s.removeParts(removable, func(from, to int) *scenarios.Scenario {
		return s.change(func(c *scenarios.Scenario) {
			kinds := slices.Clone(c.Nemesis.Kinds)
			if to-from == len(kinds) {
				to--
			}
			c.Nemesis.Kinds = slices.Delete(kinds, from, to)
		})
	})
	s.accept(s.change(func(c *scenarios.Scenario) { c.Nemesis.AtOnce = 1 }))
	isOften := func() bool {
		every := s.best.Scenario.Nemesis.Every
		return every > 0 && every < s.best.Scenario.Duration
	}
	for s.err == nil && s.ctx.Err() == nil && isOften() &&
		s.accept(s.change(func(c *scenarios.Scenario) { c.Nemesis.Every *= 2 })) >= 0 {
	}
}

// acceptWith tries a scenario with other overrides, and reports whether it is the best now.
func (s *search) acceptWith(overrides []draw.Override, smaller *scenarios.Scenario) bool {
	before := s.best.Overrides
	s.best.Overrides = overrides
	if s.accept(smaller) >= 0 {
		return true
	}
	s.best.Overrides = before
	return false
}

// shrinkOverrides leaves out replaced draws, half of them first, at last single ones.
func (s *search) shrinkOverrides() {
	for size := len(s.best.Overrides); size >= 1; size /= 2 {
		for from := 0; from < len(s.best.Overrides) && s.err == nil && s.ctx.Err() == nil; {
			to := min(from+size, len(s.best.Overrides))
			if !s.acceptWith(slices.Delete(slices.Clone(s.best.Overrides), from, to), s.best.Scenario) {
				from = to
			}
		}
	}
}

// shrinkFaults leaves out faults.
func (s *search) shrinkFaults() {
	s.removeParts(func() int { return len(s.best.Scenario.Faults) }, func(from, to int) *scenarios.Scenario {
		return s.change(func(c *scenarios.Scenario) { c.Faults = slices.Delete(c.Faults, from, to) })
	})
}

// advanceFaults lets the faults begin earlier, all by the same time, so that the run can end earlier.
func (s *search) advanceFaults() {
	const lead = time.Second
	for s.err == nil && s.ctx.Err() == nil && len(s.best.Scenario.Faults) > 0 {
		first := s.best.Scenario.Faults[0].At
		for _, f := range s.best.Scenario.Faults {
			first = min(first, f.At)
		}
		var earlier []*scenarios.Scenario
		for _, by := range []time.Duration{first - lead, first / 2, first / 4} {
			if by >= lead {
				earlier = append(earlier, s.change(func(c *scenarios.Scenario) {
					for i := range c.Faults {
						c.Faults[i].At -= by
					}
				}))
			}
		}
		if s.accept(earlier...) < 0 {
			return
		}
	}
}

// fewUnits is up to where a number is tried one by one.
const fewUnits = 16

// lower tries smaller values of a number, the smallest first, until none fails.
func (s *search) lower(least int, value func(*scenarios.Scenario) int,
	set ...func(c *scenarios.Scenario, v int)) {
	for s.err == nil && s.ctx.Err() == nil {
		now := value(s.best.Scenario)
		steps := []int{least, now / 8, now / 4, now / 2, now * 3 / 4, now * 9 / 10}
		if now <= fewUnits {
			steps = append(steps, now-1)
		}
		var smaller []*scenarios.Scenario
		for i, v := range steps {
			if v < least || v >= now || slices.Contains(steps[:i], v) {
				continue
			}
			for _, to := range set {
				smaller = append(smaller, s.change(func(c *scenarios.Scenario) { to(c, v) }))
			}
		}
		if s.accept(smaller...) < 0 {
			return
		}
	}
}

// lowerOperations leaves out the last calls, or makes all of them rarer.
func (s *search) lowerOperations() {
	s.lower(1, func(c *scenarios.Scenario) int { return c.Workload.Operations },
		func(c *scenarios.Scenario, v int) { c.Workload.Operations = v },
		func(c *scenarios.Scenario, v int) {
			c.Workload.Pause = c.Workload.Pause * time.Duration(c.Workload.Operations) / time.Duration(v)
			c.Workload.Operations = v
		})
}

// shrinkWorkload reduces operations, clients, keys and sizes, and leaves out kinds of operations.
func (s *search) shrinkWorkload() {
	s.lowerOperations()
	s.lower(1, func(c *scenarios.Scenario) int { return c.Workload.Clients },
		func(c *scenarios.Scenario, v int) { c.Workload.Clients = v })
	s.lower(1, func(c *scenarios.Scenario) int { return c.Workload.Keys },
		func(c *scenarios.Scenario, v int) { c.Workload.Keys = v })
	if s.best.Scenario.Workload.ValueBytes > workload.DefaultValueBytes {
		s.accept(s.change(func(c *scenarios.Scenario) { c.Workload.ValueBytes = workload.DefaultValueBytes }))
	}
	listed := s.options.Functions
	unlisted := slices.DeleteFunc(slices.Sorted(maps.Keys(s.best.Scenario.Workload.Mix)),
		func(f string) bool { return slices.Contains(listed, f) })
	for _, f := range slices.Concat(listed, unlisted) {
		if mix := s.mix(); mix[f] > 0 && len(mix) > 1 {
			delete(mix, f)
			s.accept(s.change(func(c *scenarios.Scenario) { c.Workload.Mix = mix }))
		}
	}
	s.lowerOperations()
}

// mix returns a copy of the best scenario's mix, with every function where it has none.
func (s *search) mix() map[string]int {
	mix := map[string]int{}
	for f, weight := range s.best.Scenario.Workload.Mix {
		if weight > 0 {
			mix[f] = weight
		}
	}
	if len(mix) == 0 {
		for _, f := range s.options.Functions {
			mix[f] = 1
		}
	}
	return mix
}

// shrinkDuration ends the workload earlier, and with it the faults.
func (s *search) shrinkDuration() {
	for s.err == nil && s.ctx.Err() == nil {
		now := s.best.Scenario.Duration
		var smaller []*scenarios.Scenario
		for _, d := range []time.Duration{now / 8, now / 4, now / 2, now * 3 / 4, now * 9 / 10} {
			if d = d.Round(time.Second); d > 0 && d < now {
				smaller = append(smaller, s.change(func(c *scenarios.Scenario) { shorten(c, d) }))
			}
		}
		if s.accept(smaller...) < 0 {
			return
		}
	}
}

// shorten ends a scenario's workload, leaves out the faults behind the end and ends the others with it.
func shorten(c *scenarios.Scenario, d time.Duration) {
	c.Duration = d
	c.Faults = slices.DeleteFunc(c.Faults, func(f fault.Fault) bool { return f.At >= d })
	for i := range c.Faults {
		if f := &c.Faults[i]; f.At+f.For > d {
			f.For = d - f.At
		}
	}
}

// shrinkMachines leaves out machines, the last ones first, with the faults that hit them alone and with what
// the subject has about them.
func (s *search) shrinkMachines() {
	for at := len(s.best.Scenario.Machines) - 1; at >= 0 && s.err == nil && s.ctx.Err() == nil; at-- {
		if len(s.best.Scenario.Machines) <= 1 || at >= len(s.best.Scenario.Machines) {
			continue
		}
		name := s.best.Scenario.Machines[at]
		without := s.change(func(c *scenarios.Scenario) { dropMachine(c, name) })
		bare := s.change(func(c *scenarios.Scenario) {
			dropMachine(c, name)
			dropNamed(c.Subject.Node, name)
		})
		s.accept(without, bare)
	}
}

// dropMachine removes a machine and the faults that hit nothing without it.
func dropMachine(c *scenarios.Scenario, name string) {
	isIt := func(m string) bool { return m == name }
	c.Machines = slices.DeleteFunc(slices.Clone(c.Machines), isIt)
	c.Faults = slices.DeleteFunc(c.Faults, func(f fault.Fault) bool {
		named := slices.Concat(f.From, f.To, f.Machines)
		return len(named) > 0 && (onlyIt(f.From, name) || onlyIt(f.To, name) || onlyIt(f.Machines, name))
	})
	for i := range c.Faults {
		f := &c.Faults[i]
		f.From, f.To = slices.DeleteFunc(f.From, isIt), slices.DeleteFunc(f.To, isIt)
		f.Machines = slices.DeleteFunc(f.Machines, isIt)
		for g := range f.Groups {
			f.Groups[g] = slices.DeleteFunc(f.Groups[g], isIt)
		}
		f.Groups = slices.DeleteFunc(f.Groups, func(group []string) bool { return len(group) == 0 })
	}
}

func onlyIt(names []string, name string) bool {
	return len(names) > 0 && !slices.ContainsFunc(names, func(m string) bool { return m != name })
}

// dropNamed removes the entries of a tree that have a name as key or value.
func dropNamed(n *yaml.Node, name string) {
	if n == nil {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		var kept []*yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != name && !holds(n.Content[i+1], name) {
				kept = append(kept, n.Content[i], n.Content[i+1])
			}
		}
		n.Content = kept
	case yaml.SequenceNode:
		n.Content = slices.DeleteFunc(n.Content, func(c *yaml.Node) bool { return holds(c, name) })
	}
	for _, child := range n.Content {
		dropNamed(child, name)
	}
}

// holds reports whether a node is a name, or a flat mapping with it as a value.
func holds(n *yaml.Node, name string) bool {
	if n.Kind == yaml.ScalarNode {
		return n.Value == name
	}
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 1; i < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// shrinkSubject leaves out entries of the subject's part.
func (s *search) shrinkSubject() {
	for at := 0; at < len(containers(s.best.Scenario.Subject.Node)); at++ {
		width := func(n *yaml.Node) int {
			if n.Kind == yaml.MappingNode {
				return 2
			}
			return 1
		}
		current := func() *yaml.Node {
			if all := containers(s.best.Scenario.Subject.Node); at < len(all) {
				return all[at]
			}
			return &yaml.Node{}
		}
		s.removeParts(func() int { return len(current().Content) / width(current()) },
			func(from, to int) *scenarios.Scenario {
				return s.change(func(c *scenarios.Scenario) {
					n := containers(c.Subject.Node)[at]
					w := width(n)
					n.Content = slices.Delete(n.Content, from*w, to*w)
				})
			})
		if s.err != nil || s.ctx.Err() != nil {
			return
		}
	}
}

// containers lists the mappings and lists of a tree, outer ones first.
func containers(n *yaml.Node) (all []*yaml.Node) {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		all = append(all, n)
	}
	for _, child := range n.Content {
		all = append(all, containers(child)...)
	}
	return all
}

// simplifyFaults makes the faults that are left shorter, rounds their times and narrows them.
func (s *search) simplifyFaults() {
	for i := range s.best.Scenario.Faults {
		edit := func(change func(f *fault.Fault)) *scenarios.Scenario {
			return s.change(func(c *scenarios.Scenario) { change(&c.Faults[i]) })
		}
		for _, unit := range []time.Duration{time.Second, 100 * time.Millisecond, time.Millisecond} {
			f := s.best.Scenario.Faults[i]
			at, length := f.At.Round(unit), f.For.Round(unit)
			if at == f.At && length == f.For || length == 0 && f.For > 0 {
				continue
			}
			if s.accept(edit(func(f *fault.Fault) { f.At, f.For = at, length })) >= 0 {
				break
			}
		}
		for f := s.best.Scenario.Faults[i]; f.For > time.Second; f = s.best.Scenario.Faults[i] {
			half := max((f.For / 2).Round(time.Second), time.Second)
			if half >= f.For || s.accept(edit(func(f *fault.Fault) { f.For = half })) < 0 {
				break
			}
		}
		s.removeParts(func() int { return len(s.best.Scenario.Faults[i].Machines) },
			func(from, to int) *scenarios.Scenario {
				return edit(func(f *fault.Fault) { f.Machines = slices.Delete(f.Machines, from, to) })
			})
		if s.err != nil || s.ctx.Err() != nil {
			return
		}
	}
}
