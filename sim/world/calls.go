package world

import (
	"bytes"
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Commands implements env.CommandHost.
func (p *Proc) Commands() env.CommandRunner {
	if p.world().devices == nil {
		return nil
	}
	return &calls{proc: p, generation: p.generation, ends: map[env.CommandID]*env.CommandResult{}}
}

// maxCalls limits the calls of one process that are under way.
const maxCalls = 256

var errTooManyCalls = errors.New("too many programs are under way")

// calls are the programs that one incarnation of a process has called.
type calls struct {
	proc       *Proc
	generation uint64
	last       env.CommandID
	ends       map[env.CommandID]*env.CommandResult // nil while it is under way
}

// Start implements env.Commands.
func (c *calls) Start(call env.Command) (env.CommandID, error) {
	switch {
	case c.proc.generation != c.generation || !c.proc.up:
		return 0, env.ErrDead
	case len(c.ends) >= maxCalls:
		return 0, errTooManyCalls
	}
	c.last++
	id, w := c.last, c.proc.world()
	c.ends[id] = nil
	over := false
	end := func(r env.CommandResult) {
		if !over {
			over = true
			c.ends[id] = &r
		}
	}
	w.note(c.proc, noteCall, uint64(id), kernel.Fingerprint(call.Input))
	w.after(call.Limit, func() { end(env.CommandResult{Err: env.ErrCommandTimeout}) })
	call.Input = bytes.Clone(call.Input)
	w.devices.Call(c.proc.machine.id, call, end)
	return id, nil
}

// Result implements env.Commands.
func (c *calls) Result(id env.CommandID) (env.CommandResult, bool) {
	r := c.ends[id]
	if r == nil {
		return env.CommandResult{}, false
	}
	delete(c.ends, id)
	return *r, true
}

// deferred is a function that the kernel calls at its time.
type deferred func()

// Handle implements kernel.Handler.
func (d deferred) Handle(uint32, uint64) { d() }

func (w *World) after(d time.Duration, do func()) { w.Kernel.After(int64(d), deferred(do), 0, 0) }

// deviceEnv is the world as external devices see it.
type deviceEnv struct{ *World }

// After implements scenarios.ExternalDeviceHost.
func (w deviceEnv) After(d time.Duration, do func()) { w.after(d, do) }

// Powered implements scenarios.ExternalDeviceHost.
func (w deviceEnv) Powered(m env.MachineID) bool { return w.machines[m].on }

// SwitchPower implements scenarios.ExternalDeviceHost.
func (w deviceEnv) SwitchPower(id env.MachineID, on bool, device string) {
	m := w.machines[id]
	m.emit(scenarios.Switched{On: on, Device: device})
	switch {
	case on == !m.switchedOff:
	case on:
		m.switchedOff = false
		if m.cuts--; m.cuts == 0 {
			w.Kernel.After(int64(rebootTime), &m.hardware, codeReboot, m.boot)
		}
	default:
		m.switchedOff = true
		m.cuts++
		m.powerOff(scenarios.CauseDevice)
		m.endPauses()
	}
}
