package world

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// hardware is a machine's watchdog device. It counts in the kernel's time, so clock faults of the
// machine and paused processes do not affect it.
type hardware struct {
	machine  *Machine
	armed    bool
	timeout  int64
	deadline int64
	queued   bool // an entry in the kernel's queue is on its way
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
func (p *Proc) Watchdog() env.Watchdog { return watchdog{p, p.generation} }

// watchdog is the device as one incarnation of a process sees it.
type watchdog struct {
	proc       *Proc
	generation uint64
}

func (w watchdog) device() *hardware { return &w.proc.machine.hardware }
func (w watchdog) dead() bool        { return w.proc.generation != w.generation || !w.proc.up }

// Arm implements env.Watchdog.
func (w watchdog) Arm(timeout time.Duration) error {
	if w.dead() {
		return env.ErrDead
	}
	h := w.device()
	h.armed, h.timeout = true, int64(timeout)
	w.Pet()
	return nil
}

// Pet implements env.Watchdog.
func (w watchdog) Pet() {
	h := w.device()
	if w.dead() || !h.armed {
		return
	}
	k := w.proc.world().Kernel
	h.deadline = k.Now() + h.timeout
	if !h.queued {
		h.queued = true
		k.At(h.deadline, h, codeCount, h.machine.boot)
	}
}

// Disarm implements env.Watchdog.
func (w watchdog) Disarm() error {
	if w.dead() {
		return env.ErrDead
	}
	w.device().armed = false
	return nil
}

// Armed implements env.Watchdog.
func (w watchdog) Armed() bool { return w.device().armed }

// Handle implements kernel.Handler.
func (h *hardware) Handle(code uint32, boot uint64) {
	m := h.machine
	if m.boot != boot {
		return // of an earlier boot of the machine
	}
	if code == codeReboot {
		if m.cuts == 0 {
			m.PowerOn()
		}
		return
	}
	if code == codeShutDown || code == codeRestart {
		m.shutDown(code == codeRestart)
		return
	}
	h.queued = false
	if !h.armed || !m.on {
		return
	}
	k := m.world.Kernel
	if k.Now() < h.deadline {
		h.queued = true
		k.At(h.deadline, h, codeCount, boot)
		return
	}
	m.reset()
}

// reset is called when the watchdog expires: it cuts the power and boots the machine after rebootTime.
// Pauses end, because their processes have ended.
func (m *Machine) reset() {
	m.world.logf(m, "machine", "watchdog expired: reset")
	m.powerOff(scenarios.CauseWatchdog)
	m.endPauses()
	if m.world.cfg.StaysOff {
		return
	}
	m.world.Kernel.After(int64(rebootTime), &m.hardware, codeReboot, m.boot)
}

// endPauses ends every pause, because the paused processes have ended.
func (m *Machine) endPauses() {
	for _, p := range m.procs {
		p.paused = 0
	}
}

// recordPower emits the record of a power change, for the checkers.
func (m *Machine) recordPower(on bool, cause string) {
	m.emit(scenarios.Power{On: on, Boot: m.boot, Cause: cause})
}

// emit publishes a record of the machine's own.
func (m *Machine) emit(r env.Record) {
	w := m.world
	if w.cfg.OnRecord == nil {
		return
	}
	if err := w.cfg.OnRecord(scenarios.Stamped{At: w.Now(), Machine: m.id, Process: "machine",
		Record: r}); err != nil {
		w.stopWithFinding(err)
	}
}
