package haspec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Check returns the first thing in the section that makes no sense for a cluster of these machines,
// whose nodes have these names; the error begins with the key. What Check accepts can be run.
func (s *Spec) Check(machines, nodes []string) error {
	for _, check := range []func(machines []string) error{s.checkServices, s.checkFiles, s.checkBounds,
		s.checkGuests, s.checkMachines, s.checkCommands} {
		if err := check(machines); err != nil {
			return err
		}
	}
	if err := s.checkOperations(); err != nil {
		return err
	}
	return s.checkFence(machines, nodes)
}

// checkServices compares the services' homes with the machines and the list of resources.
func (s *Spec) checkServices(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(s.Services)) {
		if _, _, err := ha.SplitSID(sid); err != nil {
			return fmt.Errorf("services: %w", err)
		}
		if !slices.Contains(machines, s.Services[sid]) {
			return fmt.Errorf("services: %s is placed on %q; the machines are %v",
				sid, s.Services[sid], machines)
		}
	}
	services, problems, err := config.ParseResources(s.ResourcesText())
	if err != nil {
		return fmt.Errorf("resources: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("resources: %s", p)
	}
	for _, sid := range slices.Sorted(maps.Keys(services)) {
		if s.Services[sid] == "" {
			return fmt.Errorf("resources: %s has no node; give it one under services", sid)
		}
	}
	return nil
}

// checkFiles parses the files that the operator puts into the store.
func (s *Spec) checkFiles([]string) error {
	_, problems, err := config.ParseRules(s.Rules)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("rules: %s", p)
	}
	if _, problems, err = config.ParseGroups(s.Groups); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("groups: %s", p)
	}
	settings, err := config.ParseDatacenter(s.Datacenter)
	if err != nil {
		return fmt.Errorf("datacenter: %w", err)
	}
	if d := settings.Decisions; d != ha.DecisionsStrict && d != ha.DecisionsUpstream {
		return fmt.Errorf("datacenter: decisions=%s: write %s or %s", d, ha.DecisionsStrict,
			ha.DecisionsUpstream)
	}
	if _, err := ha.DecodeManagerStatus([]byte(s.ManagerStatus)); err != nil {
		return fmt.Errorf("manager_status: %w", err)
	}
	return nil
}

// checkBounds checks what the run must keep.
func (s *Spec) checkBounds(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(s.EndsOn)) {
		if s.Services[sid] == "" || !slices.Contains(machines, s.EndsOn[sid]) {
			return fmt.Errorf("ends_on: %s on %s: no such service or machine", sid, s.EndsOn[sid])
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(s.UpAt)) {
		if !s.HasService(sid) {
			return fmt.Errorf("up_at: there is no service %s", sid)
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(s.DownAtMost)) {
		if s.Services[sid] == "" || s.DownAtMost[sid] < 0 {
			return fmt.Errorf("down_at_most: %s at most %v: no such service, or a negative time",
				sid, s.DownAtMost[sid])
		}
	}
	return nil
}

// checkGuests checks what is said about guests.
func (s *Spec) checkGuests(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(s.Guests)) {
		g := s.Guests[sid]
		if !s.HasService(sid) {
			return fmt.Errorf("guests: there is no service %s", sid)
		}
		if err := checkLoadSteps(sid, g.Load); err != nil {
			return err
		}
		if g.Cores < 0 || g.MemoryMiB < 0 || strings.ContainsAny(g.Lock, " \n") {
			return fmt.Errorf("guests: %s: sizes cannot be negative, and a lock is one word", sid)
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(s.Flaws)) {
		f := s.Flaws[sid]
		if !s.HasService(sid) || f.Starts < 0 || f.Moves < 0 {
			return fmt.Errorf("flaws: %s: no such service, or a negative number", sid)
		}
		for _, m := range f.On {
			if !slices.Contains(machines, m) {
				return fmt.Errorf("flaws: %s: no machine is called %q; the machines are %v",
					sid, m, machines)
			}
		}
	}
	if t := s.GuestTimes; min(t.Start, t.Stop) < 0 {
		return errors.New("guest_times: a time is negative")
	}
	if s.Migration.MiBPerSecond < 0 || s.Migration.Timeout < 0 {
		return errors.New("migration: speed and timeout cannot be below 0")
	}
	if s.IdleFactor < 0 || s.IdleFactor > maxIdleFactor {
		return fmt.Errorf("idle_factor: %d: write a number from 0 to %d", s.IdleFactor, maxIdleFactor)
	}
	return nil
}

// maxIdleFactor is the largest idle_factor.
const maxIdleFactor = 1000

// checkLoadSteps checks the steps of a guest's load: rising times, and no load below 0.
func checkLoadSteps(sid string, steps []Load) error {
	last := time.Duration(-1)
	for _, l := range steps {
		if l.At <= last || min(l.CPUPercent, l.MemoryMiB) < 0 {
			return fmt.Errorf("guests: the load of %s at %v: times must rise from 0, "+
				"and no load can be below 0", sid, l.At)
		}
		last = l.At
	}
	return nil
}

// checkMachines checks what is said about single machines.
func (s *Spec) checkMachines(machines []string) error {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		n := s.Nodes[name]
		least := min(n.CPUs, n.MemoryMiB, n.IdleCPUPercent, n.IdleMemoryMiB)
		if !slices.Contains(machines, name) || least < 0 {
			return fmt.Errorf("nodes: %s: no such machine, or a negative size; the machines are %v",
				name, machines)
		}
	}
	for _, name := range s.Disabled {
		if !slices.Contains(machines, name) {
			return fmt.Errorf("disabled: no machine is called %q; the machines are %v", name, machines)
		}
	}
	return nil
}

// checkCommands parses the operator's commands and looks up the services and machines in them. What
// the CRM's commands name is not looked up: operators make mistakes there, and the CRM must cope.
func (s *Spec) checkCommands(machines []string) error {
	for _, c := range s.Commands {
		if !slices.Contains(machines, c.On) {
			return fmt.Errorf("commands: %q runs on %q; the machines are %v", c.Run, c.On, machines)
		}
		p, err := ParseCommand(c.Run)
		switch {
		case err != nil:
			return fmt.Errorf("commands: at %v: %w", c.At, err)
		case p.Verb == VerbCRM:
		case p.SID != "" && !s.HasService(p.SID):
			return fmt.Errorf("commands: %q: there is no service %s", c.Run, p.SID)
		case p.Node != "" && !slices.Contains(machines, p.Node):
			return fmt.Errorf("commands: %q: no machine is called %q; the machines are %v",
				c.Run, p.Node, machines)
		}
	}
	return nil
}
