package host

import (
	"errors"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// ErrOff is how Run ends when a process has switched the machine off, ErrReboot when it shall boot
// again. What that means for the computer is the business of whoever runs the host.
var (
	ErrOff    = errors.New("the machine was switched off from within")
	ErrReboot = errors.New("the machine was rebooted from within")
)

// controls are a machine's controls in the hands of its processes.
type controls struct {
	host *Host
	life *life
}

var _ env.MachineHost = (*procEnv)(nil)

// Machine implements env.MachineHost.
func (e *procEnv) Machine() env.Machine { return controls{e.host, e.life} }

// PowerOff implements env.Machine: it ends this host.
func (c controls) PowerOff(restart bool) error {
	if err := c.life.pass(); err != nil {
		return err
	}
	if restart {
		c.host.fail(ErrReboot)
	} else {
		c.host.fail(ErrOff)
	}
	return nil
}

// Start implements env.Machine.
func (c controls) Start(process string) error {
	if err := c.life.pass(); err != nil {
		return err
	}
	return c.host.Start(process)
}
