package scenarios

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// Scenario describes one run. Together with a seed it determines a simulated run byte for byte.
type Scenario struct {
	// Name is the file's name without the extension: lower case, digits and dashes.
	Name string `yaml:"name" json:"name"`
	// Story describes in a few sentences what happens and what must hold.
	Story string `yaml:"story" json:"story"`
	// References lists what the scenario is modelled on: incidents, papers, bug numbers.
	References []string `yaml:"references,omitempty" json:"references,omitempty"`

	Machines Machines `yaml:"machines" json:"machines"`
	Network  Network  `yaml:"network,omitempty" json:"network"`
	Disk     Disk     `yaml:"disk,omitempty" json:"disk"`
	// Watchdog is what a machine's hardware watchdog does when it expires: reset (the machine boots
	// again) or power_off (it stays off until it is switched on).
	Watchdog WatchdogAction `yaml:"watchdog,omitempty" json:"watchdog,omitempty"`

	// Warmup is how long the machines run before the workload and the faults begin.
	Warmup time.Duration `yaml:"warmup,omitempty" json:"warmup"`
	// Duration is how long workload and faults last, from the end of the warm-up.
	Duration time.Duration `yaml:"duration" json:"duration"`
	// Quiescence is the time without faults in which the system must recover.
	Quiescence time.Duration `yaml:"quiescence,omitempty" json:"quiescence"`

	Workload workload.Spec `yaml:"workload,omitempty" json:"workload"`
	Faults   []fault.Fault `yaml:"faults,omitempty" json:"faults,omitempty"`
	Nemesis  *Nemesis      `yaml:"nemesis,omitempty" json:"nemesis,omitempty"`

	Expect Expect `yaml:"expect,omitempty" json:"expect"`

	// Subject names the system under test and holds its own part of the description.
	Subject SubjectSpec `yaml:"subject" json:"subject"`
}

// Machines are the names of the machines. In a file a number stands for n1, n2 and so on.
type Machines []string

// MaxMachines limits the machines of a scenario.
const MaxMachines = 64

// Count returns machines named n1 to n<count>.
func Count(count int) Machines {
	names := make(Machines, count)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i+1)
	}
	return names
}

// Network is the condition of every link without faults.
type Network struct {
	// Latency is the minimum one-way delay, Jitter the usual additional delay; see [fault.Condition].
	Latency time.Duration `yaml:"latency,omitempty" json:"latency"`
	Jitter  time.Duration `yaml:"jitter,omitempty" json:"jitter"`
	Loss    fault.PPM     `yaml:"loss,omitempty" json:"loss,omitempty"`
	// PairLatency is the most that is added to Latency between two machines for the whole run: the seed
	// draws it for each pair.
	PairLatency time.Duration `yaml:"pair_latency,omitempty" json:"pair_latency,omitempty"`
}

// Disk is the latency of disk calls without faults, and the capacity. It applies in the simulator only:
// real nodes use the disk of their machine as it is.
type Disk struct {
	Write time.Duration `yaml:"write,omitempty" json:"write"` // a write into the page cache
	Sync  time.Duration `yaml:"sync,omitempty" json:"sync"`   // making a file durable
	// CapacityBytes limits the total size of a machine's files; 0 means no limit.
	CapacityBytes int64 `yaml:"capacity_bytes,omitempty" json:"capacity_bytes,omitempty"`
}

// WatchdogAction is what a hardware watchdog does to its machine.
type WatchdogAction string

// The actions of a hardware watchdog. The default is a reset.
const (
	WatchdogResets   WatchdogAction = "reset"
	WatchdogPowerOff WatchdogAction = "power_off"
)

// OneOf lists the words for actions, for decoders and schemas.
func (WatchdogAction) OneOf() []string {
	return []string{string(WatchdogResets), string(WatchdogPowerOff)}
}

// Nemesis draws faults at random. The draws depend on the seed alone, so both backends get the same
// faults. The zero value is a nemesis of all kinds, whose times are derived from the subject's [Timers].
type Nemesis struct {
	// Kinds are the kinds of faults to draw from, all with equal weight; nil: all that lose no data and
	// leave their machine in the fault budget.
	Kinds []fault.Kind `yaml:"kinds,omitempty,flow" json:"kinds"`
	// Every is the mean time from the beginning of one fault to that of the next; 0: derived.
	Every time.Duration `yaml:"every,omitempty" json:"every"`
	// ForMin and ForMax bound how long a fault lasts; 0: derived.
	ForMin time.Duration `yaml:"for_min,omitempty" json:"for_min"`
	ForMax time.Duration `yaml:"for_max,omitempty" json:"for_max"`
	// MostlyShort draws lengths such that each doubling from ForMin to ForMax is equally likely. Otherwise
	// every length is. Where both bounds are derived it is set.
	MostlyShort bool `yaml:"mostly_short,omitempty" json:"mostly_short,omitempty"`
	// AtOnce is the largest number of faults that act at the same time; 1 unless given.
	AtOnce int `yaml:"at_once,omitempty" json:"at_once,omitempty"`
	// Processes are the single processes that kill and pause may hit; a draw chooses one of them or
	// the whole machine.
	Processes []string `yaml:"processes,omitempty,flow" json:"processes,omitempty"`
	// Roles are the roles of the subject that faults may be aimed at; a draw chooses one of them or the
	// machines that are drawn otherwise.
	Roles []string `yaml:"roles,omitempty,flow" json:"roles,omitempty"`
	// DiskCalls lets a kill, power cut or disk error act at a disk call instead of at once: up to this one,
	// as drawn.
	DiskCalls int `yaml:"disk_calls,omitempty" json:"disk_calls,omitempty"`
	// BeyondSurvival also draws faults that exceed the damage which the subject must survive. Its
	// safety must hold then, too.
	BeyondSurvival bool `yaml:"beyond_survival,omitempty" json:"beyond_survival,omitempty"`
}

// Expect sets how a run must end, beyond the checks that always hold.
type Expect struct {
	// Verdict is the required verdict of the run; valid unless given. A scenario that documents a known
	// loss of data expects invalid.
	Verdict string `yaml:"verdict,omitempty" json:"verdict,omitempty"`
	// Succeeded is the minimum share of operations that must succeed. A share of 0 accepts runs in which
	// nothing is served; by default they are unknown.
	Succeeded *fault.PPM `yaml:"succeeded,omitempty" json:"succeeded,omitempty"`
	// Probes are rare paths that must be reached: by a run that is made alone, or by some seed of several.
	Probes []string `yaml:"probes,omitempty" json:"probes,omitempty"`
	// NoEffect accepts runs in which no fault had an effect; by default they are unknown.
	NoEffect bool `yaml:"no_effect,omitempty" json:"no_effect,omitempty"`
}

// SubjectSpec names a subject and carries its part of a scenario until the subject decodes it.
type SubjectSpec struct {
	Kind string `yaml:"kind" json:"kind"`
	// Node is the whole subject mapping, kind included; nil when only the kind was given.
	Node *yaml.Node `yaml:"-" json:"-"`
	// Value is the decoded part, for reports and for scenarios made in Go.
	Value any `yaml:"-" json:"value,omitempty"`

	fileName string     // the file that the scenario was read from
	rootNode *yaml.Node // the whole file, for the places of problems
}

// Defaults of a scenario's optional values.
const (
	DefaultLatency    = 500 * time.Microsecond
	DefaultJitter     = 200 * time.Microsecond
	DefaultWrite      = 4 * time.Microsecond
	DefaultSync       = 400 * time.Microsecond
	DefaultWarmup     = 10 * time.Second
	DefaultQuiescence = 40 * time.Second
)

// SetDefaults sets the values that are not given.
func (s *Scenario) SetDefaults() {
	setDefault(&s.Network.Latency, DefaultLatency)
	setDefault(&s.Network.Jitter, DefaultJitter)
	setDefault(&s.Disk.Write, DefaultWrite)
	setDefault(&s.Disk.Sync, DefaultSync)
	setDefault(&s.Warmup, DefaultWarmup)
	setDefault(&s.Quiescence, DefaultQuiescence)
	setDefault(&s.Expect.Verdict, "valid")
	if s.Nemesis != nil {
		s.Nemesis.setDefaults(len(s.Machines))
	}
	s.Workload.SetDefaults(s.Duration)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// End is the virtual time at which a run ends: warm-up, duration and quiescence.
func (s *Scenario) End() time.Duration { return s.Warmup + s.Duration + s.Quiescence }

// Base is the condition of every link when nothing is wrong, apart from the latency of single pairs; see
// [Scenario.ChangeBase].
func (s *Scenario) Base() fault.Condition {
	return fault.Condition{Loss: s.Network.Loss, Latency: s.Network.Latency, Jitter: s.Network.Jitter}
}

// NetworkStream is the name of the stream that the latency of pairs is drawn from.
const NetworkStream = "network"

// ChangeBase returns what changes the base condition of each ordered pair of machines; nil if nothing does.
// It is a function for [fault.Net.SetBase].
func (s *Scenario) ChangeBase(choices draw.Lists) func(from, to int, c *fault.Condition) {
	if s.Network.PairLatency == 0 {
		return nil
	}
	n := len(s.Machines)
	added := make([]time.Duration, n*n)
	draws := choices(NetworkStream, "pair-latency")
	for a := range n {
		for b := range a {
			// The square of a draw: most pairs are near, a few are far.
			d := draws.Choose(drawResolution)
			added[a*n+b] = fractionOf(fractionOf(s.Network.PairLatency, d), d)
			added[b*n+a] = added[a*n+b]
		}
	}
	return func(from, to int, c *fault.Condition) { c.Latency += added[from*n+to] }
}
