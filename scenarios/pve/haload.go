package pve

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

// HANode is a node's size, for the static and the dynamic scheduler.
type HANode struct {
	CPUs      int `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// IdleCPUPercent (of one CPU) and IdleMemoryMiB are what it uses without guests.
	IdleCPUPercent int `yaml:"idle_cpu_percent,omitempty" json:"idle_cpu_percent,omitempty"`
	IdleMemoryMiB  int `yaml:"idle_memory_mib,omitempty" json:"idle_memory_mib,omitempty"`
}

// HAGuest is the size of a service and, in the simulator, what it uses over time.
type HAGuest struct {
	Cores     int `yaml:"cores,omitempty" json:"cores,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// Load is in the order of time. Before the first step the service has its whole memory and
	// leaves the CPU alone.
	Load []HALoad `yaml:"load,omitempty" json:"load,omitempty"`
}

// HALoad is what a service uses from a time after the warm-up on, wherever it runs.
type HALoad struct {
	At time.Duration `yaml:"at" json:"at"`
	// CPUPercent is of one CPU: 250 are two and a half.
	CPUPercent int `yaml:"cpu_percent,omitempty" json:"cpu_percent,omitempty"`
	MemoryMiB  int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
}

// HAMigration is how guests migrate in the simulator.
type HAMigration struct {
	// MiBPerSecond is how fast memory goes over, half to one and a half of it; 64 unless given.
	MiBPerSecond int `yaml:"mib_per_second,omitempty" json:"mib_per_second,omitempty"`
	// Timeout ends an attempt; 30 minutes unless given.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Sizes for what a scenario leaves out.
const (
	DefaultNodeCPUs       = 24
	DefaultNodeMemoryMiB  = 128 << 10
	DefaultGuestCores     = 1
	DefaultGuestMemoryMiB = 512

	mebibyte = 1 << 20
	// percent of a CPU in thousandths.
	percent = 10
)

func (h *HASpec) checkLoads(machines []string) error {
	if h.Migration.MiBPerSecond < 0 || h.Migration.Timeout < 0 {
		return fmt.Errorf("migration: speed and timeout cannot be below 0")
	}
	for _, sid := range slices.Sorted(maps.Keys(h.DownAtMost)) {
		if h.Services[sid] == "" || h.DownAtMost[sid] < 0 {
			return fmt.Errorf("down_at_most: %s at most %v: no such service, or less than nothing", sid, h.DownAtMost[sid])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Nodes)) {
		n := h.Nodes[name]
		if !slices.Contains(machines, name) {
			return fmt.Errorf("nodes: no machine is called %q; the machines are %v", name, machines)
		}
		if min(n.CPUs, n.MemoryMiB, n.IdleCPUPercent, n.IdleMemoryMiB) < 0 {
			return fmt.Errorf("nodes: %s has a size below nothing", name)
		}
	}
	for _, sid := range slices.Sorted(maps.Keys(h.Guests)) {
		g := h.Guests[sid]
		if h.Services[sid] == "" {
			return fmt.Errorf("guests: there is no service %s; list it under services", sid)
		}
		if min(g.Cores, g.MemoryMiB) < 0 {
			return fmt.Errorf("guests: %s has a size below nothing", sid)
		}
		last := time.Duration(-1)
		for _, l := range g.Load {
			if l.At <= last || min(l.CPUPercent, l.MemoryMiB) < 0 {
				return fmt.Errorf("guests: the load of %s at %v: times must rise from 0, and nothing can be below 0", sid, l.At)
			}
			last = l.At
		}
	}
	return nil
}

// conf is a service's configuration file.
func (h *HASpec) conf(sid string) string {
	g := h.Guests[sid]
	return fmt.Sprintf("memory: %d\ncores: %d\n", or(g.MemoryMiB, DefaultGuestMemoryMiB), or(g.Cores, DefaultGuestCores))
}

func or(value, other int) int {
	if value != 0 {
		return value
	}
	return other
}

// measured says whether anybody wants to know loads: only then are they told around.
func (h *HASpec) measured() bool {
	dc, err := config.ParseDatacenter(h.Datacenter)
	return len(h.Guests) > 0 || err == nil && dc.CRS.Mode == ha.SchedDynamic
}

// guests is how guests behave on a machine.
func (s *Subject) guests(m env.MachineID) resource.GuestOptions {
	h, o := s.spec.HA, resource.DefaultGuests()
	n := h.Nodes[s.machines[m]]
	o.Has = use(or(n.CPUs, DefaultNodeCPUs)*100, or(n.MemoryMiB, DefaultNodeMemoryMiB))
	o.Idle = use(n.IdleCPUPercent, n.IdleMemoryMiB)
	if speed := h.Migration.MiBPerSecond; speed > 0 {
		o.BytesPerSecond = int64(speed) * mebibyte
	}
	o.Measured, o.Loads = h.measured(), map[string][]resource.LoadStep{}
	for sid, g := range h.Guests {
		for _, l := range g.Load {
			o.Loads[sid] = append(o.Loads[sid],
				resource.LoadStep{From: s.warmup + l.At, Use: use(l.CPUPercent, l.MemoryMiB)})
		}
	}
	return o
}

func use(cpuPercent, memoryMiB int) resource.Use {
	return resource.Use{MilliCPUs: int64(cpuPercent) * percent, MemoryBytes: int64(memoryMiB) * mebibyte}
}
