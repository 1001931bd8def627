package env

import "errors"

// MachineHost is implemented by an Env whose processes may do to their machine what its service
// manager does. It is no part of Env: protocols have no business with it.
type MachineHost interface {
	// Machine is the machine's own controls; nil when processes have none here.
	Machine() MachineControl
}

// MachineControl are the controls of a machine in the hands of its own processes.
type MachineControl interface {
	// PowerOff ends every process at once and switches the machine off; with restart it boots
	// again after a while. It returns before that happens.
	PowerOff(restart bool) error
	// Start starts a process of this machine that has ended. Starting one that runs does nothing.
	Start(process string) error
}

// ErrStopped, given to [Env.Exit], says that the process was asked to end: the world does not start
// it again before the machine's next boot, unless [MachineControl.Start] asks for it.
var ErrStopped = errors.New("stopped on request")
