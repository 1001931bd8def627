package host

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// ProgramHeartbeat is the record of a program that runs beside the processes. The program's keeper
// writes it, not the host, so it stays correct when the host crashes.
type ProgramHeartbeat struct {
	Name  string       `json:"name"`
	Phase ProgramPhase `json:"phase"`
}

// ProgramPhase is what a heartbeat reports of a program.
type ProgramPhase string

const (
	// ProgramStarting is written once, before the program does anything.
	ProgramStarting ProgramPhase = "starting"
	// ProgramRunning is written every [ProgramHeartbeatInterval].
	ProgramRunning ProgramPhase = "running"
	// ProgramEnded is written once, after the program has ended.
	ProgramEnded ProgramPhase = "ended"
)

// ProgramHeartbeatInterval is the time between two heartbeats of a running program.
const ProgramHeartbeatInterval = 100 * time.Millisecond

// RecordKind implements env.Record.
func (ProgramHeartbeat) RecordKind() string { return "program-heartbeat" }

// RunProgramArg is the argument with which a host starts its own executable again as the keeper
// of a program: a main that calls [Host.Run] must pass its arguments to [RunProgram] first.
const RunProgramArg = "run-program"

// ProgramEnv is the environment variable in which a program finds its name.
const ProgramEnv = "HOLDFAST_PROGRAM"

// programsDir is the subdirectory of the machine's directory with the files of its programs.
const programsDir = "programs"

// ProgramRecordFiles is the glob pattern of the files that hold the heartbeats of a machine's
// programs, relative to the machine's directory. They are written only if the host writes records.
const ProgramRecordFiles = programsDir + "/*" + recordsSuffix

const (
	recordsSuffix = ".records"
	lockSuffix    = ".lock"
	exitSuffix    = ".exit"
	exitFormat    = "%d %d\n" // the keeper's process id, and how the program ended
)

// maxProgramNameBytes bounds the name of a program.
const maxProgramNameBytes = 100

// ErrProgram means that a program could not be started, seen or ended.
var ErrProgram = errors.New("program failed")

// programFile returns the path of the file of a program with a suffix. It fails with ErrProgram when
// the program's name is empty or too long.
func programFile(dir, name, suffix string) (string, error) {
	if name == "" || len(name) > maxProgramNameBytes {
		return "", fmt.Errorf("%w: a name of %d bytes, must be 1 to %d", ErrProgram, len(name),
			maxProgramNameBytes)
	}
	return filepath.Join(dir, programsDir, url.PathEscape(name)+suffix), nil
}
