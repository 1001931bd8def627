package env

// ProgramHost is implemented by an Env whose machine can run programs of its operating system. It is not
// a part of Env: drivers of services use it, protocols must not.
type ProgramHost interface {
	// Programs returns the interface for the machine's programs; nil if it cannot run any.
	Programs() Programs
}

// Programs runs programs beside the processes of an Env. They outlive the process that started them and
// the program that hosts it; they end with the machine. No method waits for a program.
type Programs interface {
	// Start starts a command under a name. It does nothing if something runs under that name. The program
	// finds the name in the environment variable HOLDFAST_PROGRAM.
	Start(name string, command []string) error
	// Running reports whether anything runs under a name that was started here in this boot of the
	// machine, also by an earlier incarnation of the process: the program or what it has left behind.
	Running(name string) (bool, error)
	// Status returns the state of a program.
	Status(name string) (ProgramStatus, error)
	// Stop asks everything that runs under a name to end, or kills it with force.
	Stop(name string, force bool) error
}

// ProgramStatus is the state of a program.
type ProgramStatus struct {
	Running bool
	// Incarnation differs for each start under this name in one boot of the machine; "" if there was
	// none.
	Incarnation string
	// Exited reports that the last incarnation has ended and ExitCode is known: the program's exit code,
	// or 128 plus the number of the signal that ended it. A program that was killed is not known to have
	// exited.
	Exited   bool
	ExitCode int
}
