// Package programs runs ordinary programs for the processes of a real machine: the services that a node
// runs, and commands such as fence agents that are called and answer with an exit code.
//
//   - A program of [New] outlives the process that started it, and also a crash of the host. Its keeper, a
//     small process of its own, writes heartbeats for checkers and leaves the exit code.
//   - A program of [NewCalls] ends with the process that called it, or at its time limit.
//
// Package programs never restarts a program and never decides where one may run: the process that asks
// does.
package programs

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// Heartbeat is the record of a program that runs beside the processes. The program's keeper writes it,
// not the host, so it stays correct when the host crashes.
type Heartbeat struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
}

// Phase is what a heartbeat reports of a program.
type Phase string

const (
	// Starting is written once, before the program does anything.
	Starting Phase = "starting"
	// Running is written every [HeartbeatInterval].
	Running Phase = "running"
	// Ended is written once, after the program has ended.
	Ended Phase = "ended"
)

// HeartbeatInterval is the time between two heartbeats of a running program.
const HeartbeatInterval = 100 * time.Millisecond

// RecordKind implements env.Record.
func (Heartbeat) RecordKind() string { return "program-heartbeat" }

// KeeperArg is the argument with which a host starts its own executable again as the keeper of a program:
// a main function that runs a host must pass the arguments after KeeperArg to [RunKeeper] first.
const KeeperArg = "run-program"

// NameEnv is the environment variable in which a program finds its name.
const NameEnv = "HOLDFAST_PROGRAM"

// subdirectory is the part of the machine's directory with the files of its programs.
const subdirectory = "programs"

// dirMode is the mode of that directory.
const dirMode = 0o750

// RecordFiles is the glob pattern of the files that hold the heartbeats of a machine's programs, relative
// to the machine's directory. They are written only if the host writes records.
const RecordFiles = subdirectory + "/*" + recordsSuffix

const (
	recordsSuffix = ".records"
	lockSuffix    = ".lock"
	exitSuffix    = ".exit"
	exitFormat    = "%d %d\n" // the keeper's process id, and how the program ended
)

// maxNameBytes bounds the name of a program.
const maxNameBytes = 100

// ErrProgram means that a program could not be started, seen or ended.
var ErrProgram = errors.New("program failed")

// filePath returns the path of the file of a program with a suffix. It fails with ErrProgram when
// the program's name is empty or too long.
func filePath(dir, name, suffix string) (string, error) {
	if name == "" || len(name) > maxNameBytes {
		return "", fmt.Errorf("%w: a name of %d bytes, must be 1 to %d", ErrProgram, len(name),
			maxNameBytes)
	}
	return filepath.Join(dir, subdirectory, url.PathEscape(name)+suffix), nil
}
