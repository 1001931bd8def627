package env

// ProgramHost is implemented by an Env whose machine can run programs of its operating system. It
// is no part of Env: protocols have no business with it, drivers of services do.
type ProgramHost interface {
	// Programs runs the machine's programs; nil when it cannot.
	Programs() Programs
}

// Programs runs programs beside the processes of an Env. They outlive the process that started
// them, and the program that hosts it; with the machine they end. No call waits for a program.
type Programs interface {
	// Start starts a command under a name. Nothing happens when something runs under that name.
	// The program finds the name in the environment variable HOLDFAST_PROGRAM.
	Start(name string, command []string) error
	// Running says whether anything runs under a name that was started here in this boot of the
	// machine, also by an earlier life of the process: the program or whatever it has left behind.
	Running(name string) (bool, error)
	// Status says more about it: see [ProgramStatus].
	Status(name string) (ProgramStatus, error)
	// Stop asks what runs under a name to end, or ends it by force.
	Stop(name string, force bool) error
}

// ProgramStatus is how a program stands.
type ProgramStatus struct {
	Running bool
	// Incarnation differs for each start under this name in one boot of the machine; "" when there was none.
	Incarnation string
	// Exited says that the last life is over and ExitCode how: as the program said it, or 128 and
	// the number of the signal that ended it. What was ended by force is not known to have exited.
	Exited   bool
	ExitCode int
}
