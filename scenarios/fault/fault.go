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
	// Slow lets every step of processes take Times as long, and Latency longer.
	Slow Kind = "slow"
	// Freeze stops Machines together with their hardware, as the host of a virtual machine can: their
	// processes, clocks, timers and watchdogs stand still and continue where they were.
	Freeze Kind = "freeze"
	// Clog holds back everything that From sends to To, and back unless OneWay. It arrives in order after
	// the fault has ended.
	Clog Kind = "clog"
	// Bandwidth lets at most BytesPerSecond pass from From to To, and back unless OneWay. What is sent
	// faster waits in a queue of QueueBytes, and is dropped when the queue is full.
	Bandwidth Kind = "bandwidth"
	// MTU drops packets of more than MTUBytes from From to To, and back unless OneWay, without a notice to
	// the sender. IP and UDP headers count.
	MTU Kind = "mtu"
	// Corrupt flips bits in a Share of the packets from From to To, and back unless OneWay.
	Corrupt Kind = "corrupt"
	// DiskCorrupt flips Bits of what Machines have durable, in a File of their disks or anywhere.
	// Momentary: acts once, For is ignored.
	DiskCorrupt Kind = "disk-corrupt"
	// DiskLatent makes reads of one page of a File, or of a file that is drawn, fail with EIO on Machines.
	DiskLatent Kind = "disk-latent"
	// DiskLostWrite lets some writes of Machines be lost although a sync of the File, or of any file,
	// reports success: they are readable until the machine loses its power.
	DiskLostWrite Kind = "disk-lost-write"
	// DiskMisdirect lets some writes of Machines to a File, or to any file, reach another place of the same
	// file: what is read is right until the machine loses its power.
	DiskMisdirect Kind = "disk-misdirect"
	// Buggify makes the processes of Machines take rare paths that they may take at any time, at some of the
	// Sites which they mark with env.Buggify, or at all of them: a Share of the visits of a site.
	Buggify Kind = "buggify"
)

// Kinds lists every kind in the order of the documentation.
func Kinds() []Kind {
	return []Kind{Partition, Cut, Link, Flap, Kill, Pause, PowerCut, PowerOn,
		DiskStall, DiskSlow, DiskFull, DiskError, DiskWipe, DiskRollback, DiskCut, ClockStep, ClockDrift,
		Slow, Freeze, Clog, Bandwidth, MTU, Corrupt,
		DiskCorrupt, DiskLatent, DiskLostWrite, DiskMisdirect, Buggify}
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
	// Role stands for the machine that has a role of the subject when the fault begins. It takes the place
	// of Machines, of From, or of the Groups of a partition; see [Fault.AimedAt].
	Role string `yaml:"role,omitempty" json:"role,omitempty"`
	// Follow is how often the fault looks which machine has its Role: when another machine has it by then,
	// the fault ends on the first machine and begins on the second. 0: the fault stays where it began.
	Follow time.Duration `yaml:"follow,omitempty" json:"follow,omitempty"`

	// Trigger names a kind of record or a probe of the subject: from At on the fault waits until processes
	// have emitted it, or reached it, Nth times (0: once), on any machine, and begins Delay later. The
	// machine where that happened is the [RoleTriggering]. The fault waits for at most Within (0: until
	// faults end), and For counts from its beginning. A fault that waits in vain, or cannot act together
	// with another one when its trigger comes, is not injected. "": the fault begins at At.
	Trigger string        `yaml:"trigger,omitempty" json:"trigger,omitempty"`
	Nth     int           `yaml:"nth,omitempty" json:"nth,omitempty"`
	Within  time.Duration `yaml:"within,omitempty" json:"within,omitempty"`
	Delay   time.Duration `yaml:"delay,omitempty" json:"delay,omitempty"`

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

	// AtDiskCall is the disk call at which the fault acts, counted from At: 1 is the first. A kill or power
	// cut then acts when that call begins, or when it has taken effect if AfterCall is set; it counts the
	// calls that change the disk, by Process if one is named. A disk error lets only that call of Operation
	// fail. 0: the fault acts at once, and disk errors act on every call.
	AtDiskCall int  `yaml:"at_disk_call,omitempty" json:"at_disk_call,omitempty"`
	AfterCall  bool `yaml:"after_call,omitempty" json:"after_call,omitempty"`

	Times          int64 `yaml:"times,omitempty" json:"times,omitempty"`
	BytesPerSecond int64 `yaml:"bytes_per_second,omitempty" json:"bytes_per_second,omitempty"`
	QueueBytes     int64 `yaml:"queue_bytes,omitempty" json:"queue_bytes,omitempty"` // 0: DefaultQueueBytes
	MTUBytes       int   `yaml:"mtu_bytes,omitempty" json:"mtu_bytes,omitempty"`
	Share          PPM   `yaml:"share,omitempty" json:"share,omitempty"` // of the packets, or of the visits
	Bits           int   `yaml:"bits,omitempty" json:"bits,omitempty"`   // 0: DefaultBits

	// Sites are the sites of a [Buggify]; nil: all.
	Sites []string `yaml:"sites,omitempty,flow" json:"sites,omitempty"`
}

// RoleTriggering is the role of the machine that has emitted the record, or reached the probe, which a fault
// with a Trigger has waited for.
const RoleTriggering = "triggering"

// DefaultBuggifyShare is the share of the visits of a site that a [Buggify] turns into the rare path, unless
// it is given.
const DefaultBuggifyShare = Always / 4

// DefaultBits is how many bits a [DiskCorrupt] flips unless it is given.
const DefaultBits = 16

// LosesData reports whether the fault takes durable data of machines, which no system can undo: a nemesis
// draws such faults only on request.
func (f *Fault) LosesData() bool {
	switch f.Kind {
	case DiskWipe, DiskRollback, DiskCut, DiskCorrupt, DiskLostWrite, DiskMisdirect:
		return true
	}
	return false
}

// IsNetwork reports whether the fault acts on links and not on machines.
func (f *Fault) IsNetwork() bool {
	switch f.Kind {
	case Partition, Cut, Link, Flap, Clog, Bandwidth, MTU, Corrupt:
		return true
	}
	return false
}

// RoleKey returns the field of a kind that a role takes the place of, by its name in files.
func RoleKey(k Kind) string {
	switch {
	case k == Partition:
		return "groups"
	case (&Fault{Kind: k}).IsNetwork():
		return "from"
	}
	return "machines"
}

// AimedAt returns the fault with a machine in the place that its Role has kept for it. The role stays, as the
// reason.
func (f *Fault) AimedAt(machine string) Fault {
	aimed := *f
	switch RoleKey(f.Kind) {
	case "groups":
		aimed.Groups = [][]string{{machine}}
	case "from":
		aimed.From = []string{machine}
	default:
		aimed.Machines = []string{machine}
	}
	return aimed
}

// AimedAgain returns the fault as it was before [Fault.AimedAt]: it waits for the machine that has its role.
func (f *Fault) AimedAgain() Fault {
	free := *f
	switch RoleKey(f.Kind) {
	case "groups":
		free.Groups = nil
	case "from":
		free.From = nil
	default:
		free.Machines = nil
	}
	return free
}

// IsAimed reports whether the fault waits for the machine that has its role.
func (f *Fault) IsAimed() bool {
	return f.Role != "" && len(f.Groups) == 0 && len(f.From) == 0 && len(f.Machines) == 0
}
