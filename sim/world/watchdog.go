package world

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// hardwareWatchdog is a machine's watchdog device. It counts in the kernel's time, so clock faults of the
// machine and paused processes do not affect it.
type hardwareWatchdog struct {
	machine      *Machine
	armed        bool
	timeout      int64
	deadline     int64
	expiryQueued bool // an entry in the kernel's queue is on its way
}

// rebootTime is how long a machine that its watchdog has reset takes until it boots.
const rebootTime = 20 * time.Second

// Codes of the device.
const (
	codeCount = iota
	codeReboot
	codeShutDown // requested by a process of the machine
	codeRestart
)

// Watchdog implements env.WatchdogHost.
func (p *Proc) Watchdog() env.Watchdog { return processWatchdog{p, p.generation} }

// processWatchdog is the device as one incarnation of a process sees it.
type processWatchdog struct {
	proc       *Proc
	generation uint64
}

func (w processWatchdog) hardware() *hardwareWatchdog { return &w.proc.machine.hardwareWatchdog }
func (w processWatchdog) hasEnded() bool {
	return w.proc.generation != w.generation || !w.proc.up || !w.proc.mayCall("Watchdog")
}

// Arm implements env.Watchdog.
func (w processWatchdog) Arm(timeout time.Duration) error {
	if w.hasEnded() {
		return env.ErrDead
	}
	h := w.hardware()
	h.armed, h.timeout = true, int64(timeout)
	w.Pet()
	return nil
}

// Pet implements env.Watchdog.
func (w processWatchdog) Pet() {
	h := w.hardware()
	if w.hasEnded() || !h.armed {
		return
	}
	k := w.proc.world().Kernel
	h.deadline = k.Now() + h.timeout
	if !h.expiryQueued {
		h.expiryQueued = true
		k.At(h.deadline, h, codeCount, h.machine.bootCount)
	}
}

// Disarm implements env.Watchdog.
func (w processWatchdog) Disarm() error {
	if w.hasEnded() {
		return env.ErrDead
	}
	w.hardware().armed = false
	return nil
}

// Armed implements env.Watchdog.
func (w processWatchdog) Armed() bool { return w.hardware().armed }

// Handle implements kernel.Handler.
func (h *hardwareWatchdog) Handle(code uint32, boot uint64) {
	m := h.machine
	if m.bootCount != boot {
		return // of an earlier boot of the machine
	}
	if code != codeCount && m.freeze.postpone(func() { m.world.Kernel.After(0, h, code, boot) }) {
		return
	}
	if code == codeReboot {
		if m.activeCuts == 0 {
			m.PowerOn()
		}
		return
	}
	if code == codeShutDown || code == codeRestart {
		m.shutDownOrderly(code == codeRestart)
		return
	}
	h.expiryQueued = false
	if !h.armed || !m.isOn || m.freeze.active > 0 {
		return // continueAfter makes another entry for a frozen one
	}
	k := m.world.Kernel
	if k.Now() < h.deadline {
		h.expiryQueued = true
		k.At(h.deadline, h, codeCount, boot)
		return
	}
	m.onWatchdogExpired()
}

// continueAfter continues to count after the device has stood still with its machine.
func (h *hardwareWatchdog) continueAfter(stood int64) {
	if !h.armed {
		return
	}
	h.deadline += stood
	if !h.expiryQueued {
		h.expiryQueued = true
		h.machine.world.Kernel.At(h.deadline, h, codeCount, h.machine.bootCount)
	}
}

// onWatchdogExpired is called when the watchdog expires: it cuts the power and boots the machine after
// rebootTime. Pauses end, because their processes have ended.
func (m *Machine) onWatchdogExpired() {
	m.world.logMachine(m, "machine", "watchdog expired: reset")
	m.powerOff(scenarios.CauseWatchdog)
	m.endPauses()
	if m.world.cfg.WatchdogPowersOff {
		return
	}
	m.world.Kernel.After(int64(rebootTime), &m.hardwareWatchdog, codeReboot, m.bootCount)
}

// endPauses ends every pause, because the paused processes have ended.
func (m *Machine) endPauses() {
	for _, p := range m.procs {
		p.activePauses = 0
	}
}

// recordPower emits the record of a power change, for the checkers.
func (m *Machine) recordPower(on bool, cause scenarios.PowerCause) {
	m.emitRecord(scenarios.Power{On: on, Boot: m.bootCount, Cause: cause})
}

// emitRecord publishes a record of the machine's own.
func (m *Machine) emitRecord(r env.Record) {
	w := m.world
	if w.cfg.OnRecord == nil {
		return
	}
	if err := w.cfg.OnRecord(scenarios.Stamped{At: w.Now(), Machine: m.id, Process: "machine",
		Record: r}); err != nil {
		w.stopWithFinding(err)
	}
}
