package host

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// ErrOff is returned by [Host.Run] when a process has switched the machine off, ErrReboot when the machine
// must boot again. The program that runs the host decides what that means for the computer.
var (
	ErrOff    = errors.New("the machine was switched off from within")
	ErrReboot = errors.New("the machine was rebooted from within")
)

// machineControl implements env.MachineControl for one incarnation of a process.
type machineControl struct {
	host        *Host
	incarnation *incarnation.Incarnation
}

var _ env.MachineHost = (*procEnv)(nil)

// Machine implements env.MachineHost.
func (e *procEnv) Machine() env.MachineControl { return machineControl{e.host, e.incarnation} }

// PowerOff implements env.MachineControl: it ends this host.
func (c machineControl) PowerOff(restart bool) error {
	if err := c.incarnation.Pass(); err != nil {
		return err
	}
	if restart {
		c.host.failWith(ErrReboot)
	} else {
		c.host.failWith(ErrOff)
	}
	return nil
}

// Start implements env.MachineControl.
func (c machineControl) Start(process string) error {
	if err := c.incarnation.Pass(); err != nil {
		return err
	}
	return c.host.Start(process)
}
