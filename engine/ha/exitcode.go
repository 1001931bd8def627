package ha

// ExitCode is the result of a resource command as the LRM publishes it.
type ExitCode int

// Results of resource commands. TryAgain never leaves the LRM.
const (
	// ExitNotExecuted is the result of a command that could not even begin.
	ExitNotExecuted      ExitCode = -1
	ExitSuccess          ExitCode = 0
	ExitError            ExitCode = 1
	ExitTryAgain         ExitCode = 2
	ExitWrongNode        ExitCode = 3
	ExitUnknownType      ExitCode = 4
	ExitUnknownCommand   ExitCode = 5
	ExitInvalidParameter ExitCode = 6
	ExitUnknownService   ExitCode = 7
	ExitIgnored          ExitCode = 8
)
