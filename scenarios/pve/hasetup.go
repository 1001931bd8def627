package pve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// HAGuest is what the configuration of a service's guest says and, in the simulator, what the guest
// uses over time.
type HAGuest struct {
	// Cores and MemoryMiB are the guest's size; 1 and 512 unless given.
	Cores     int `yaml:"cores,omitempty" json:"cores,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// Lock says that somebody is at work on the guest: backup, snapshot, create and so on.
	Lock string `yaml:"lock,omitempty" json:"lock,omitempty"`
	// Load is in the order of time. Before the first step the guest has its whole memory and
	// leaves the CPU alone.
	Load []HALoad `yaml:"load,omitempty" json:"load,omitempty"`
}

// config is the guest's configuration file.
func (g HAGuest) config() string {
	text := fmt.Sprintf("memory: %d\ncores: %d\n", or(g.MemoryMiB, DefaultGuestMemoryMiB), or(g.Cores, DefaultGuestCores))
	if g.Lock != "" {
		text += "lock: " + g.Lock + "\n"
	}
	return text
}

// HANode is what a machine tells the others of itself.
type HANode struct {
	// Version is that of its HA manager; the program's own unless given. An older one cannot read
	// rules, so the master leaves groups alone.
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// CPUs and MemoryMiB are its size, which the static and the dynamic scheduler ask for.
	CPUs      int `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// IdleCPUPercent (of one CPU) and IdleMemoryMiB are what it uses without guests.
	IdleCPUPercent int `yaml:"idle_cpu_percent,omitempty" json:"idle_cpu_percent,omitempty"`
	IdleMemoryMiB  int `yaml:"idle_memory_mib,omitempty" json:"idle_memory_mib,omitempty"`
}

// HAFlaw is how a guest fails. What was tried is counted for the guest, wherever it is.
type HAFlaw struct {
	// Starts and Moves are how many attempts fail before one succeeds.
	Starts int `yaml:"starts,omitempty" json:"starts,omitempty"`
	Moves  int `yaml:"moves,omitempty" json:"moves,omitempty"`
	// NoStop: it cannot be ended, not even by force.
	NoStop bool `yaml:"no_stop,omitempty" json:"no_stop,omitempty"`
	// On are the machines on which starts and moves fail; all unless given.
	On []string `yaml:"on,omitempty,flow" json:"on,omitempty"`
}

// flaws are those of the guests' world; nil when there are none.
func (h *HASpec) flaws() *resource.Flaws {
	if len(h.Flaws) == 0 {
		return nil
	}
	f := &resource.Flaws{Of: map[string]resource.Flaw{}}
	for sid, flaw := range h.Flaws {
		f.Of[sid] = resource.Flaw(flaw)
	}
	return f
}

func (h *HASpec) checkFlaws(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(h.Flaws)) {
		f := h.Flaws[sid]
		if !h.has(sid) || f.Starts < 0 || f.Moves < 0 {
			return fmt.Errorf("flaws: %s: no such service, or a negative number", sid)
		}
		for _, m := range f.On {
			if !slices.Contains(machines, m) {
				return fmt.Errorf("flaws: %s: no machine is called %q; the machines are %v", sid, m, machines)
			}
		}
	}
	return nil
}

func (h *HASpec) checkSetup(machines []string) error {
	for _, sid := range slices.Sorted(maps.Keys(h.Guests)) {
		g := h.Guests[sid]
		if !h.has(sid) {
			return fmt.Errorf("guests: there is no service %s", sid)
		}
		if err := checkLoad(sid, g.Load); err != nil {
			return err
		}
		if g.Cores < 0 || g.MemoryMiB < 0 || strings.ContainsAny(g.Lock, " \n") {
			return fmt.Errorf("guests: %s: sizes cannot be negative, and a lock is one word", sid)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Nodes)) {
		if n := h.Nodes[name]; !slices.Contains(machines, name) || min(n.CPUs, n.MemoryMiB, n.IdleCPUPercent, n.IdleMemoryMiB) < 0 {
			return fmt.Errorf("nodes: %s: no such machine, or a negative size; the machines are %v", name, machines)
		}
	}
	if err := h.checkFlaws(machines); err != nil {
		return err
	}
	for _, name := range h.Disabled {
		if !slices.Contains(machines, name) {
			return fmt.Errorf("disabled: no machine is called %q; the machines are %v", name, machines)
		}
	}
	if t := h.GuestTimes; min(t.Start, t.Stop) < 0 {
		return fmt.Errorf("guest_times: a time is negative")
	}
	if err := errors.Join(h.checkLife(), h.checkOperations()); err != nil {
		return err
	}
	if _, err := ha.DecodeManagerStatus([]byte(h.ManagerStatus)); err != nil {
		return fmt.Errorf("manager_status: %w", err)
	}
	return nil
}

// self is what a machine's node tells of itself.
func (h *HASpec) self(machine string) haproc.Info {
	n := h.Nodes[machine]
	return haproc.Info{Version: n.Version, CPUs: float64(or(n.CPUs, DefaultNodeCPUs)),
		MemoryBytes: float64(or(n.MemoryMiB, DefaultNodeMemoryMiB)) * mebibyte}
}

// started is how a process of a machine is made: the HA manager's may be held back.
func (h *HASpec) started(machine string, p node.Process) func() env.Process {
	byHand := slices.Contains(h.Disabled, machine)
	if !h.Prepared && !byHand || p.Name != haproc.CRMProcess && p.Name != haproc.LRMProcess {
		return p.New
	}
	var boot uint64 // the last one in which the machine has started it
	return func() env.Process {
		return &heldBack{process: p.New(), runs: func(s env.Self) bool {
			first := s.Boot != boot
			boot = s.Boot
			return !(byHand && first) && !(h.Prepared && s.Boot == 1)
		}}
	}
}

// heldBack is a process that runs only when it may.
type heldBack struct {
	process env.Process
	runs    func(env.Self) bool
	held    bool
}

// Start implements env.Process.
func (b *heldBack) Start(e env.Env) error {
	if b.held = !b.runs(e.Self()); b.held {
		e.Exit(env.ErrStopped)
		return nil
	}
	return b.process.Start(e)
}

// Step implements env.Process.
func (b *heldBack) Step(ev env.Event) {
	if !b.held {
		b.process.Step(ev)
	}
}

// specs are the processes of a machine for the simulator.
func (s *Subject) specs(m env.MachineID, processes []node.Process) []scenarios.ProcessSpec {
	specs := make([]scenarios.ProcessSpec, len(processes))
	for i, p := range processes {
		specs[i] = scenarios.ProcessSpec{Name: p.Name, New: p.New, Restart: p.Restart}
		if s.spec.HA != nil {
			specs[i].New = s.spec.HA.started(s.machines[m], p)
		}
	}
	if s.spec.HA != nil {
		specs = append(specs, s.operatorSpec(m))
	}
	return specs
}
