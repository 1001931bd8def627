package fault

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kind is what fails, and how.
type Kind string

// The kinds of faults.
const (
	// Partition cuts every link between machines of different Groups. Machines that no group
	// names form one more group.
	Partition Kind = "partition"
	// Cut drops everything from the From machines to the To machines, and back unless OneWay.
	Cut Kind = "cut"
	// Link degrades what travels from From to To, and back unless OneWay: Loss, Duplicate,
	// Reorder, Latency and Jitter add to the network's own.
	Link Kind = "link"
	// Flap cuts From and To like Cut, for Down, then leaves them alone for Up, and so on.
	Flap Kind = "flap"
	// Kill ends processes without notice; what they had written stays. They start again after
	// For.
	Kill Kind = "kill"
	// Pause stops processes from running for For; time continues.
	Pause Kind = "pause"
	// PowerCut switches Machines off for For: processes, unsynced disk contents and whatever
	// was in memory are gone.
	PowerCut Kind = "power-cut"
	// PowerOn presses the power button of Machines: those that are off although they have power,
	// because they were shut down or left off by their watchdogs, boot. Momentary: acts once, For is
	// ignored. It does nothing to a machine that is on or has no power.
	PowerOn Kind = "power-on"
	// DiskStall makes every disk call that begins or is under way on Machines wait until the
	// fault ends.
	DiskStall Kind = "disk-stall"
	// DiskSlow adds Latency to every disk call on Machines.
	DiskSlow Kind = "disk-slow"
	// DiskFull makes writes that need more space on Machines fail with ENOSPC.
	DiskFull Kind = "disk-full"
	// DiskError makes disk calls of the named Operation on Machines fail with EIO.
	DiskError Kind = "disk-error"
	// DiskWipe switches Machines off for For, and empties their disks: they boot as after a repair with a
	// new disk.
	DiskWipe Kind = "disk-wipe"
	// DiskRollback puts the disks of Machines back: at the end of the fault they lose their power and boot
	// again with what their disks had durable when it began.
	DiskRollback Kind = "disk-rollback"
	// DiskCut switches Machines off for For, and cuts a File of their disks, or the longest one unless it is
	// given, to half of its length.
	DiskCut Kind = "disk-cut"
	// ClockStep moves the wall clock of Machines by Step at once; the end of the fault moves it back.
	ClockStep Kind = "clock-step"
	// ClockDrift lets the clocks of Machines run faster (or slower, when negative) by DriftPPM.
	ClockDrift Kind = "clock-drift"
)

// Kinds lists every kind in the order of the documentation.
func Kinds() []Kind {
	return []Kind{Partition, Cut, Link, Flap, Kill, Pause, PowerCut, PowerOn,
		DiskStall, DiskSlow, DiskFull, DiskError, DiskWipe, DiskRollback, DiskCut, ClockStep, ClockDrift}
}

// OneOf returns the spellings of all kinds, for decoders and schemas.
func (Kind) OneOf() []string {
	words := make([]string, 0, len(Kinds()))
	for _, k := range Kinds() {
		words = append(words, string(k))
	}
	return words
}

// Respell returns the kind that a text names. Files written before kinds were spelled with hyphens
// have underscores: power_cut is power-cut.
func (Kind) Respell(text string) string { return strings.ReplaceAll(text, "_", "-") }

// UnmarshalJSON reads a kind in either spelling. It accepts any text: Validate knows which exist.
func (k *Kind) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("reading the kind of a fault: %w", err)
	}
	*k = Kind(k.Respell(text))
	return nil
}

// Fault is one injected failure: what fails, and when. The documentation of a kind lists the fields
// that it uses; the others are zero. [Fault.Validate] holds the rules.
type Fault struct {
	Kind Kind          `yaml:"kind" json:"kind"`
	At   time.Duration `yaml:"at" json:"at"`                       // since the workload began
	For  time.Duration `yaml:"for,omitempty" json:"for,omitempty"` // 0: until faults end

	Groups [][]string `yaml:"groups,omitempty,flow" json:"groups,omitempty"`
	From   []string   `yaml:"from,omitempty,flow" json:"from,omitempty"`
	To     []string   `yaml:"to,omitempty,flow" json:"to,omitempty"`
	OneWay bool       `yaml:"one_way,omitempty" json:"one_way,omitempty"`

	Machines []string `yaml:"machines,omitempty,flow" json:"machines,omitempty"`
	Process  string   `yaml:"process,omitempty" json:"process,omitempty"` // "": all of the machine

	Loss      PPM           `yaml:"loss,omitempty" json:"loss,omitempty"`
	Duplicate PPM           `yaml:"duplicate,omitempty" json:"duplicate,omitempty"`
	Reorder   PPM           `yaml:"reorder,omitempty" json:"reorder,omitempty"`
	Latency   time.Duration `yaml:"latency,omitempty" json:"latency,omitempty"`
	Jitter    time.Duration `yaml:"jitter,omitempty" json:"jitter,omitempty"`

	Up   time.Duration `yaml:"up,omitempty" json:"up,omitempty"`
	Down time.Duration `yaml:"down,omitempty" json:"down,omitempty"`

	Operation string        `yaml:"operation,omitempty" json:"operation,omitempty"` // read, write, sync
	File      string        `yaml:"file,omitempty" json:"file,omitempty"`           // on the machine's disk
	Step      time.Duration `yaml:"step,omitempty" json:"step,omitempty"`
	DriftPPM  int64         `yaml:"drift_ppm,omitempty" json:"drift_ppm,omitempty"`
}

// LosesData reports whether the fault takes durable data of machines, which no system can undo: a nemesis
// draws such faults only if it is told to.
func (f *Fault) LosesData() bool {
	return f.Kind == DiskWipe || f.Kind == DiskRollback || f.Kind == DiskCut
}

// IsNetwork reports whether the fault acts on links and not on machines.
func (f *Fault) IsNetwork() bool {
	switch f.Kind {
	case Partition, Cut, Link, Flap:
		return true
	}
	return false
}
