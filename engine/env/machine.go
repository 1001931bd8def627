package env

import "errors"

// MachineHost is implemented by an Env whose processes may control their machine as its service manager
// does. It is not a part of Env: protocols must not use it.
type MachineHost interface {
	// Machine returns the controls of the machine; nil if there are none.
	Machine() MachineControl
}

// MachineControl controls a machine from one of its own processes.
type MachineControl interface {
	// PowerOff ends every process at once and switches the machine off. With restart, the machine boots
	// again after a while. PowerOff returns before that happens.
	PowerOff(restart bool) error
	// Start starts a process of this machine that has ended. Starting a process that runs does nothing.
	Start(process string) error
}

// ErrStopped, passed to [Env.Exit], means that the process was asked to end: the backend does not start
// it again before the machine's next boot, unless [MachineControl.Start] does.
var ErrStopped = errors.New("stopped on request")
