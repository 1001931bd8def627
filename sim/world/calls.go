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
	if p.world().externalDevices == nil {
		return nil
	}
	return &commandRunner{proc: p, generation: p.generation,
		resultByID: map[env.CommandID]*env.CommandResult{}}
}

// maxCalls limits the calls of one process that are under way.
const maxCalls = 256

var errTooManyCalls = errors.New("too many programs are under way")

// commandRunner are the programs that one incarnation of a process has called.
type commandRunner struct {
	proc       *Proc
	generation uint64
	lastID     env.CommandID
	resultByID map[env.CommandID]*env.CommandResult // nil while it is under way
}

// Start implements env.Commands.
func (c *commandRunner) Start(call env.Command) (env.CommandID, error) {
	switch {
	case c.proc.generation != c.generation || !c.proc.up || !c.proc.mayCall("Commands"):
		return 0, env.ErrDead
	case len(c.resultByID) >= maxCalls:
		return 0, errTooManyCalls
	}
	c.lastID++
	id, w := c.lastID, c.proc.world()
	c.resultByID[id] = nil
	over := false
	end := func(r env.CommandResult) {
		if !over {
			over = true
			c.resultByID[id] = &r
		}
	}
	w.noteInDigest(c.proc, noteCall, uint64(id), kernel.Fingerprint(call.Input))
	w.callAfter(call.Limit, func() { end(env.CommandResult{Err: env.ErrCommandTimeout}) })
	call.Input = bytes.Clone(call.Input)
	w.externalDevices.Call(c.proc.machine.id, call, end)
	return id, nil
}

// Result implements env.Commands.
func (c *commandRunner) Result(id env.CommandID) (env.CommandResult, bool) {
	r := c.resultByID[id]
	if r == nil {
		return env.CommandResult{}, false
	}
	delete(c.resultByID, id)
	return *r, true
}

// deferredFunc is a function that the kernel calls at its time.
type deferredFunc func()

// Handle implements kernel.Handler.
func (d deferredFunc) Handle(uint32, uint64) { d() }

func (w *World) callAfter(d time.Duration, do func()) {
	w.Kernel.After(int64(d), deferredFunc(do), 0, 0)
}

// externalDeviceEnv is the world as external devices see it.
type externalDeviceEnv struct{ *World }

// After implements scenarios.ExternalDeviceHost.
func (w externalDeviceEnv) After(d time.Duration, do func()) { w.callAfter(d, do) }

// Powered implements scenarios.ExternalDeviceHost.
func (w externalDeviceEnv) Powered(m env.MachineID) bool { return w.machines[m].isOn }

// SwitchPower implements scenarios.ExternalDeviceHost.
func (w externalDeviceEnv) SwitchPower(id env.MachineID, on bool, device string) {
	m := w.machines[id]
	m.emitRecord(scenarios.Switched{On: on, Device: device})
	switch {
	case on == !m.deviceKeepsOff:
	case on:
		m.deviceKeepsOff = false
		if m.activeCuts--; m.activeCuts == 0 {
			w.Kernel.After(int64(rebootTime), &m.hardwareWatchdog, codeReboot, m.bootCount)
		}
	default:
		m.deviceKeepsOff = true
		m.activeCuts++
		m.powerOff(scenarios.CauseDevice)
		m.endPauses()
	}
}
