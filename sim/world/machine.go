package world

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Machine is one simulated machine.
type Machine struct {
	world        *World
	id           env.MachineID
	name         string
	bootCount    uint64
	isOn         bool
	activeCuts   int // active power cuts, and 1 while an external device keeps the power off
	procs        []*Proc
	processSpecs []scenarios.ProcessSpec
	clock        clock
	disk         *disk.Disk
	diskState    diskState

	freeze           freeze
	slowSteps        uint64 // steps that slow faults made longer
	buggified        []*buggified
	hardwareWatchdog hardwareWatchdog
	deviceKeepsOff   bool // an external device keeps the power off
}

// diskCall is a kind of calls that faults of a disk act on.
type diskCall int

// A call that changes the disk is an anyCall, and a writeCall or a syncCall. A write that needs more space is
// a growingCall as well.
const (
	anyCall diskCall = iota
	readCall
	writeCall
	syncCall
	growingCall
	diskCalls // their number
)

// diskState holds the active faults of a machine's disk and the lists of its draws.
type diskState struct {
	stallFaults  int // number of stall faults that act
	fullFaults   int
	addedLatency time.Duration
	failingOps   map[string]int    // operation -> number of faults that act
	calls        [diskCalls]uint64 // by kind, since the run began
	stalledProcs []*Proc           // processes whose call waits for the stall to end
	writeLatency *choice.List
	syncLatency  *choice.List
	crashDraws   *choice.List
	triggers     []*callTrigger // faults that wait for a call
	damage       diskDamage
}

func newMachine(w *World, id env.MachineID, name string) *Machine {
	m := &Machine{world: w, id: id, name: name, disk: disk.New()}
	m.hardwareWatchdog.machine, m.freeze.machine = m, m
	m.diskState = diskState{failingOps: map[string]int{},
		writeLatency: w.Choices.List("disk/"+name, "write"),
		syncLatency:  w.Choices.List("disk/"+name, "sync"),
		crashDraws:   w.Choices.List("disk/"+name, "crash"),
		damage:       diskDamage{draws: w.Choices.List("disk/"+name, "damage")}}
	installFiles(m)
	m.processSpecs = w.cfg.Builder.Processes(id)
	for i := range m.processSpecs {
		m.procs = append(m.procs, newProc(m, &m.processSpecs[i]))
	}
	return m
}

// installFiles puts the files onto the disk that a machine has before its first boot.
func installFiles(m *Machine) {
	for _, f := range m.world.cfg.Builder.Files(m.id) {
		m.disk.Install(f.Name, f.Data)
	}
}

// replaceDisk puts a disk with the content of an image into a machine that is off; without an image it is a
// new one.
func replaceDisk(m *Machine, image disk.Image) {
	m.disk.Wipe()
	if image == nil {
		installFiles(m)
		return
	}
	image.RestoreTo(m.disk)
}

// halveFile cuts a file of a machine that is off to half of its length, if there is one of that name; ""
// is the longest file.
func halveFile(m *Machine, name string) {
	if name == "" {
		name = disk.Longest(m.disk)
	}
	if n := m.disk.Lookup(name); n != nil {
		m.disk.Truncate("", n, n.Size()/2)
		m.disk.Sync(n)
	}
}

// ID is the machine's id.
func (m *Machine) ID() env.MachineID { return m.id }

// On reports whether the machine has power.
func (m *Machine) On() bool { return m.isOn }

// PowerOn boots the machine: its processes start in their order, bootStep apart.
func (m *Machine) PowerOn() {
	if m.isOn {
		return
	}
	m.isOn = true
	m.bootCount++
	m.world.logMachine(m, "machine", "boot %d", m.bootCount)
	m.hardwareWatchdog = hardwareWatchdog{machine: m}
	m.recordPower(true, "")
	for i, p := range m.procs {
		p.scheduleStart(time.Duration(i+1) * bootStep)
	}
}

// bootStep is the time between the starts of a machine's processes at boot.
const bootStep = time.Millisecond

// CutPower begins a power cut. The machine stays off until RestorePower was called as often.
func (m *Machine) CutPower() {
	m.activeCuts++
	m.PowerOff()
}

// RestorePower ends a power cut. The machine boots after the last one.
func (m *Machine) RestorePower() {
	if m.activeCuts--; m.activeCuts == 0 {
		m.PowerOn()
	}
}

// PressPower switches the machine on, if it is off and has power.
func (m *Machine) PressPower() {
	if m.activeCuts == 0 {
		m.PowerOn()
	}
}

// PowerOff cuts the power: processes end, and draws decide which unsynced writes the disk keeps.
func (m *Machine) PowerOff() { m.powerOff(scenarios.CauseFault) }

func (m *Machine) powerOff(cause scenarios.PowerCause) {
	if !m.isOn {
		return
	}
	m.isOn = false
	m.hardwareWatchdog.armed = false
	m.freeze.endByPower()
	m.world.logMachine(m, "machine", "%s", cause)
	m.recordPower(false, cause)
	for _, p := range m.procs {
		p.endIncarnation(errEndedSilently)
		p.generation++ // cancels scheduled starts
	}
	m.disk.Crash(m.diskState.crashDraws)
}

// Each calls f for the processes of that name, or for all when the name is empty.
func (m *Machine) Each(process string, f func(*Proc)) {
	for _, p := range m.procs {
		if process == "" || p.spec.Name == process {
			f(p)
		}
	}
}

// Proc finds a process by name; nil when there is none.
func (m *Machine) Proc(name string) *Proc {
	for _, p := range m.procs {
		if p.spec.Name == name {
			return p
		}
	}
	return nil
}

// setDrift changes the rate of the machine's clock and moves the timers accordingly.
func (m *Machine) setDrift(ppm int64) {
	m.clock.setDrift(m.world.Kernel.Now(), ppm)
	for _, p := range m.procs {
		p.timers.reschedule()
	}
}

// clock is a machine's clock. Monotonic time runs at a rate that differs from the kernel's by the
// drift; wall time is monotonic time plus an offset. All times are in nanoseconds.
type clock struct {
	stopped       bool // the machine is frozen
	driftPPM      int64
	rateChangedAt int64 // kernel time of the last change of rate
	monoAt        int64 // monotonic time at since
	wallOffset    time.Duration
}

// wallEpoch is the time of day at which every run begins.
var wallEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const million = 1_000_000

func (c *clock) mono(now int64) int64 {
	if c.stopped {
		return c.monoAt
	}
	d := now - c.rateChangedAt
	return c.monoAt + d + d/million*c.driftPPM + d%million*c.driftPPM/million
}

// kernelTime is the first kernel time at which the monotonic clock shows at least mono.
func (c *clock) kernelTime(mono int64) int64 {
	d := mono - c.monoAt
	if c.driftPPM == 0 {
		return c.rateChangedAt + d
	}
	rate := million + c.driftPPM
	at := c.rateChangedAt + d/rate*million + (d%rate*million+rate-1)/rate
	for c.mono(at) < mono {
		at++
	}
	return at
}

func (c *clock) setDrift(now, ppm int64) {
	c.monoAt, c.rateChangedAt, c.driftPPM = c.mono(now), now, ppm
}

// stop lets the clock stand still, start lets it run again from there.
func (c *clock) stop(now int64) {
	c.monoAt, c.rateChangedAt = c.mono(now), now
	c.stopped = true
}

func (c *clock) start(now int64) { c.rateChangedAt, c.stopped = now, false }

func (c *clock) wallTime(now int64) time.Time {
	return wallEpoch.Add(time.Duration(c.mono(now)) + c.wallOffset)
}

var _ kernel.Handler = (*Proc)(nil)
