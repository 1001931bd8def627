package scenarios

import (
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

// CheckProcesses refuses faults of a process that one of their machines does not have: such a fault
// would hit nothing and count as injected. A subject without a builder does not list its processes;
// then the driver reports an unknown process when the fault begins.
//
// It also refuses faults that are aimed at a role, wait for a trigger, or name a site, which the subject does
// not have. A subject that states no triggers or no sites may have any.
func CheckProcesses(s *Scenario, subject Subject) error {
	c := nameChecker{scenario: s}
	owner := "the subject " + subject.Kind()
	records, probes := TriggersOf(subject)
	roles, triggers, sites := RolesOf(subject), slices.Concat(records, probes), SitesOf(subject)
	builder := subject.Builder()
	for i := range s.Faults {
		f := &s.Faults[i]
		key := func(name string) string { return fmt.Sprintf("faults[%d].%s", i, name) }
		if f.Role != "" && f.Role != fault.RoleTriggering {
			c.require(key("role"), owner, "role", f.Role, roles, "")
		}
		if f.Trigger != "" && len(triggers) > 0 {
			c.require(key("trigger"), owner, "record or probe", f.Trigger, triggers, "")
		}
		for _, site := range f.Sites {
			if len(sites) > 0 {
				c.require(key("sites"), owner, "site", site, sites, "")
			}
		}
		if f.Process != "" && builder != nil {
			c.requireProcess(key("process"), f.Process, builder, f.Targets(),
				", or leave the key out for all of them")
		}
	}
	if s.Nemesis == nil {
		return c.problems.Err()
	}
	for i, role := range s.Nemesis.Roles {
		c.require(fmt.Sprintf("nemesis.roles[%d]", i), owner, "role", role, roles, "")
	}
	for i, process := range s.Nemesis.Processes {
		if builder != nil {
			c.requireProcess(fmt.Sprintf("nemesis.processes[%d]", i), process, builder,
				[]string{fault.All}, "")
		}
	}
	return c.problems.Err()
}

// nameChecker collects names in a scenario that nothing has.
type nameChecker struct {
	scenario *Scenario
	problems strictyaml.Problems
}

// require adds a problem unless a name at a path is known, and reports whether it is. advice follows what to
// write instead.
func (c *nameChecker) require(path, owner, what, name string, known []string, advice string) bool {
	if slices.Contains(known, name) {
		return true
	}
	c.problems.Add(strictyaml.Problem{}, c.scenario.Errorf(path, "%s has no %s %q; %s%s", owner, what, name,
		strictyaml.SpellingAdvice(name, known), advice))
	return false
}

// requireProcess adds a problem for the first target that lacks a process.
func (c *nameChecker) requireProcess(path, process string, b Builder, targets []string, advice string) {
	for m, machine := range c.scenario.Machines {
		var names []string
		for _, p := range b.Processes(env.MachineID(m)) {
			names = append(names, p.Name)
		}
		if fault.Names(targets, machine) && !c.require(path, machine, "process", process, names, advice) {
			return
		}
	}
}
