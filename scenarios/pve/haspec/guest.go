package haspec

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

// Guest is what the configuration of a service's guest contains and, in the simulator, what the
// guest uses over time.
type Guest struct {
	// Cores and MemoryMiB are the guest's size; the defaults are 1 and 512.
	Cores     int `yaml:"cores,omitempty" json:"cores,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// Lock names the work that is in progress on the guest: backup, snapshot, create and so on.
	Lock string `yaml:"lock,omitempty" json:"lock,omitempty"`
	// Load is in the order of time. Before the first step the guest has its whole memory and
	// leaves the CPU alone.
	Load []Load `yaml:"load,omitempty" json:"load,omitempty"`
}

// Load is what a service uses from a time after the warm-up on, wherever it runs.
type Load struct {
	At time.Duration `yaml:"at" json:"at"`
	// CPUPercent is of one CPU: 250 are two and a half.
	CPUPercent int `yaml:"cpu_percent,omitempty" json:"cpu_percent,omitempty"`
	MemoryMiB  int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
}

// Node is what a machine reports about itself to the others.
type Node struct {
	// Version is that of its HA manager; the default is the program's own. An older one cannot read
	// rules, so the master leaves groups alone.
	Version string `yaml:"version,omitempty" json:"version,omitempty"`
	// CPUs and MemoryMiB are its size, which the static and the dynamic scheduler use.
	CPUs      int `yaml:"cpus,omitempty" json:"cpus,omitempty"`
	MemoryMiB int `yaml:"memory_mib,omitempty" json:"memory_mib,omitempty"`
	// IdleCPUPercent (of one CPU) and IdleMemoryMiB are what it uses without guests.
	IdleCPUPercent int `yaml:"idle_cpu_percent,omitempty" json:"idle_cpu_percent,omitempty"`
	IdleMemoryMiB  int `yaml:"idle_memory_mib,omitempty" json:"idle_memory_mib,omitempty"`
}

// Flaw is how a guest fails. Attempts are counted for the guest, wherever it is.
type Flaw struct {
	// Starts and Moves are how many attempts fail before one succeeds.
	Starts int `yaml:"starts,omitempty" json:"starts,omitempty"`
	Moves  int `yaml:"moves,omitempty" json:"moves,omitempty"`
	// NoStop makes it impossible to end the guest, even by force.
	NoStop bool `yaml:"no_stop,omitempty" json:"no_stop,omitempty"`
	// On are the machines on which starts and moves fail; the default is all.
	On []string `yaml:"on,omitempty,flow" json:"on,omitempty"`
}

// GuestTimes are the means of what a start and an orderly stop of a guest take.
type GuestTimes struct {
	Start time.Duration `yaml:"start,omitempty" json:"start,omitempty"`
	Stop  time.Duration `yaml:"stop,omitempty" json:"stop,omitempty"`
}

// Migration is how guests migrate in the simulator.
type Migration struct {
	// MiBPerSecond is how fast memory is copied, half to one and a half of it; the default is 64.
	MiBPerSecond int `yaml:"mib_per_second,omitempty" json:"mib_per_second,omitempty"`
	// Timeout ends an attempt; the default is 30 minutes.
	Timeout time.Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Sizes for what a scenario leaves out.
const (
	DefaultNodeCPUs       = 24
	DefaultNodeMemoryMiB  = 128 << 10
	DefaultGuestCores     = 1
	DefaultGuestMemoryMiB = 512
)

// Units of the engine's sizes.
const (
	mebibyte         = 1 << 20
	milliCPUsPercent = 10  // one percent of a CPU, in thousandths of a CPU
	percentPerCPU    = 100 // a whole CPU
)

// Config returns the guest's configuration file.
func (g Guest) Config() string {
	text := fmt.Sprintf("memory: %d\ncores: %d\n",
		orDefault(g.MemoryMiB, DefaultGuestMemoryMiB), orDefault(g.Cores, DefaultGuestCores))
	if g.Lock != "" {
		text += "lock: " + g.Lock + "\n"
	}
	return text
}

// Self returns what the node of a machine reports about itself.
func (s *Spec) Self(machine string) haproc.Info {
	n := s.Nodes[machine]
	return haproc.Info{Version: n.Version, CPUs: float64(orDefault(n.CPUs, DefaultNodeCPUs)),
		MemoryBytes: float64(orDefault(n.MemoryMiB, DefaultNodeMemoryMiB)) * mebibyte}
}

// GuestFlaws returns the flaws of the guests of one run, which counts the attempts; nil if there are
// none.
func (s *Spec) GuestFlaws() *resource.Flaws {
	if len(s.Flaws) == 0 {
		return nil
	}
	f := &resource.Flaws{Of: map[string]resource.Flaw{}}
	for sid, flaw := range s.Flaws {
		f.Of[sid] = resource.Flaw(flaw)
	}
	return f
}

// alwaysFails is how many starts of a guest must fail for a service that counts as never starting.
const alwaysFails = 1000

// NeverStarts reports whether a service cannot run anywhere, whatever is done for it.
func (s *Spec) NeverStarts(sid string) bool {
	flaw, has := s.Flaws[sid]
	return has && flaw.Starts >= alwaysFails && len(flaw.On) == 0
}

// FailsStartsOn reports whether starts of the guest may fail on a machine.
func (f Flaw) FailsStartsOn(machine string) bool {
	return f.Starts > 0 && (len(f.On) == 0 || slices.Contains(f.On, machine))
}

// GuestOptions returns how guests behave on a machine. Times of loads count from the warm-up's end;
// flaws are those of the run.
func (s *Spec) GuestOptions(machine string, warmup time.Duration,
	flaws *resource.Flaws) resource.GuestOptions {
	o := resource.DefaultGuests()
	o.Flaws = flaws
	n := s.Nodes[machine]
	o.Has = guestUse(orDefault(n.CPUs, DefaultNodeCPUs)*percentPerCPU,
		orDefault(n.MemoryMiB, DefaultNodeMemoryMiB))
	o.Idle = guestUse(n.IdleCPUPercent, n.IdleMemoryMiB)
	if speed := s.Migration.MiBPerSecond; speed > 0 {
		o.BytesPerSecond = int64(speed) * mebibyte
	}
	o.Measured, o.Loads = s.usesLoads(), map[string][]resource.LoadStep{}
	for sid, g := range s.Guests {
		for _, l := range g.Load {
			o.Loads[sid] = append(o.Loads[sid],
				resource.LoadStep{From: warmup + l.At, Use: guestUse(l.CPUPercent, l.MemoryMiB)})
		}
	}
	if s.GuestTimes.Start > 0 {
		o.StartTime = s.GuestTimes.Start
	}
	if s.GuestTimes.Stop > 0 {
		o.StopTime = s.GuestTimes.Stop
	}
	return o
}

// usesLoads reports whether loads are used anywhere: only then do nodes broadcast them.
func (s *Spec) usesLoads() bool {
	dc, err := config.ParseDatacenter(s.Datacenter)
	return len(s.Guests) > 0 || err == nil && dc.CRS.Mode == ha.SchedDynamic
}

func guestUse(cpuPercent, memoryMiB int) resource.Use {
	return resource.Use{MilliCPUs: int64(cpuPercent) * milliCPUsPercent,
		MemoryBytes: int64(memoryMiB) * mebibyte}
}

// orDefault returns a value, or the other one if the value is 0.
func orDefault(value, other int) int {
	if value != 0 {
		return value
	}
	return other
}
