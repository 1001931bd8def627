package scenarios

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// OutsideBuilder is implemented by a [Builder] whose simulated machines can call programs, and
// whose programs act on what lies outside of the machines: power switches with a remote control.
type OutsideBuilder interface {
	// Outside makes what there is outside for one run; nil when there is nothing to call.
	Outside(w OutsideWorld) Outside
}

// Outside is what simulated programs can reach.
type Outside interface {
	// Call carries out a call of a program on a machine. It hands over the program's end, once, at
	// once or later; not at all is a program that hangs. The caller may have lost interest by then:
	// its time was up, or its machine is off.
	Call(from env.MachineID, c env.Call, done func(env.CallResult))
}

// OutsideWorld is what the outside knows of the world and does to it.
type OutsideWorld interface {
	// Now is the time since the run began.
	Now() time.Duration
	// After calls something later.
	After(d time.Duration, do func())
	// Powered says whether a machine has power.
	Powered(m env.MachineID) bool
	// SwitchPower switches a machine's power off, or on again, as the named device. A machine that
	// is switched on boots after the time that machines take, unless a fault keeps it off.
	SwitchPower(m env.MachineID, on bool, device string)
}

// Switched is the record of what a device outside did to a machine's power, whether or not the
// machine had any. It comes from the world.
type Switched struct {
	On     bool   `json:"on"`
	Device string `json:"device"`
}

// RecordKind implements env.Record.
func (Switched) RecordKind() string { return "machine-switched" }
