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
	// End asks what runs under a name to end, or ends it by force.
	End(name string, force bool) error
}
