package pve

import (
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

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

func checkLoad(sid string, steps []HALoad) error {
	last := time.Duration(-1)
	for _, l := range steps {
		if l.At <= last || min(l.CPUPercent, l.MemoryMiB) < 0 {
			return fmt.Errorf("guests: the load of %s at %v: times must rise from 0, and nothing can be below 0", sid, l.At)
		}
		last = l.At
	}
	return nil
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
func (s *Subject) guests(m env.MachineID, flaws *resource.Flaws) resource.GuestOptions {
	h, o := s.spec.HA, resource.DefaultGuests()
	o.Flaws = flaws
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
	h.GuestTimes.times(&o)
	return o
}

func use(cpuPercent, memoryMiB int) resource.Use {
	return resource.Use{MilliCPUs: int64(cpuPercent) * percent, MemoryBytes: int64(memoryMiB) * mebibyte}
}
