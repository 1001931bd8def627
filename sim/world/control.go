package world

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Machine implements env.MachineHost.
func (p *Proc) Machine() env.MachineControl { return control{p, p.generation} }

// control is the env.MachineControl of one incarnation of a process.
type control struct {
	proc       *Proc
	generation uint64
}

// PowerOff implements env.MachineControl.
func (c control) PowerOff(restart bool) error {
	if c.proc.generation != c.generation || !c.proc.up {
		return env.ErrDead
	}
	m, code := c.proc.machine, uint32(codeShutDown)
	if restart {
		code = codeRestart
	}
	m.world.Kernel.After(0, &m.hardware, code, m.boot)
	return nil
}

// Start implements env.MachineControl.
func (c control) Start(process string) error {
	if c.proc.generation != c.generation || !c.proc.up {
		return env.ErrDead
	}
	p := c.proc.machine.Proc(process)
	if p == nil {
		return fmt.Errorf("starting %s on %s: the machine has no such process", process, c.proc.machine.name)
	}
	if !p.up {
		p.scheduleStart(0)
	}
	return nil
}

// shutDown switches the machine off in good order: all writes are on the disk first. Pauses end with
// their processes.
func (m *Machine) shutDown(restart bool) {
	if !m.on {
		return
	}
	if m.io.stalled == 0 && m.io.failing["sync"] == 0 {
		m.disk.SyncAll()
	}
	cause := scenarios.CauseShutdown
	if restart {
		cause = scenarios.CauseReboot
	}
	m.powerOff(cause)
	for _, p := range m.procs {
		p.paused = 0
	}
	if restart {
		m.world.Kernel.After(int64(rebootTime), &m.hardware, codeReboot, m.boot)
	}
}
