package world

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Machine implements env.MachineHost.
func (p *Proc) Machine() env.MachineControl { return machineControl{p, p.generation} }

// machineControl is the env.MachineControl of one incarnation of a process.
type machineControl struct {
	proc       *Proc
	generation uint64
}

// PowerOff implements env.MachineControl.
func (c machineControl) PowerOff(restart bool) error {
	if c.proc.generation != c.generation || !c.proc.up {
		return env.ErrDead
	}
	m, code := c.proc.machine, uint32(codeShutDown)
	if restart {
		code = codeRestart
	}
	m.world.Kernel.After(0, &m.hardwareWatchdog, code, m.bootCount)
	return nil
}

// Start implements env.MachineControl.
func (c machineControl) Start(process string) error {
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

// shutDownOrderly switches the machine off in good order: all writes are on the disk first. Pauses end with
// their processes.
func (m *Machine) shutDownOrderly(restart bool) {
	if !m.isOn {
		return
	}
	if m.diskState.stallFaults == 0 && m.diskState.failingOps["sync"] == 0 {
		m.disk.SyncAll()
	}
	cause := scenarios.CauseShutdown
	if restart {
		cause = scenarios.CauseReboot
	}
	m.powerOff(cause)
	for _, p := range m.procs {
		p.activePauses = 0
	}
	if restart {
		m.world.Kernel.After(int64(rebootTime), &m.hardwareWatchdog, codeReboot, m.bootCount)
	}
}
