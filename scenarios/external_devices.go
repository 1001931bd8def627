package scenarios

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// ExternalDeviceBuilder is implemented by a [Builder] whose simulated machines can call programs that
// act on devices outside of the machines, for example power switches with a remote control. A process
// calls programs through env.CommandHost.
type ExternalDeviceBuilder interface {
	// ExternalDevices makes the devices of one run; nil when there is nothing to call.
	ExternalDevices(h ExternalDeviceHost) ExternalDevices
}

// ExternalDevices are the devices that simulated programs can call.
type ExternalDevices interface {
	// Command carries out a call of a program on a machine. It passes the program's result to done at
	// most once, before it returns or later. Until done is called the program runs; the caller's limit
	// ends it. done may be called after the caller has ended or its limit has passed: then it does
	// nothing.
	Call(from env.MachineID, c env.Command, done func(env.CommandResult))
}

// ExternalDeviceHost gives external devices access to the simulated world. Its methods must be called
// from within Call or a function passed to After.
type ExternalDeviceHost interface {
	// Now returns the time since the run began.
	Now() time.Duration
	// After calls a function once, after a span of virtual time.
	After(d time.Duration, do func())
	// Powered reports whether a machine has power.
	Powered(m env.MachineID) bool
	// SwitchPower switches a machine's power off or on in the name of a device, and emits a record
	// [Switched], also when the machine already is in that state. A machine that is switched on boots
	// after the usual time, unless a fault keeps it off.
	SwitchPower(m env.MachineID, on bool, device string)
}

// Switched is the record of an external device that switched a machine's power, whether or not the power
// changed. The simulator emits it, not a process.
type Switched struct {
	On     bool   `json:"on"`
	Device string `json:"device"`
}

// RecordKind implements env.Record.
func (Switched) RecordKind() string { return "machine-switched" }
