package host

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// ProgramLife is the record of a program that runs beside the processes. The one who looks after
// the program writes it and not the host, so it is true whatever becomes of the host.
type ProgramLife struct {
	Name string `json:"name"`
	// Phase is begins (before the program does anything), lives (every [ProgramBeat]) or ended.
	Phase string `json:"phase"`
}

// Phases of a program.
const (
	ProgramBegins = "begins"
	ProgramLives  = "lives"
	ProgramEnded  = "ended"
)

// ProgramBeat separates the signs of life of a program.
const ProgramBeat = 100 * time.Millisecond

// RecordKind implements env.Record.
func (ProgramLife) RecordKind() string { return "program-life" }

// RunProgramArg is the argument with which a host starts its own executable again as the keeper
// of a program: whoever calls [Host.Run] must offer its arguments to [RunProgram] first.
const RunProgramArg = "run-program"

// ProgramEnv is the environment variable in which a program finds its name.
const ProgramEnv = "HOLDFAST_PROGRAM"

// programsDir is where programs are known, in the machine's directory.
const programsDir = "programs"

// LifeFiles is the pattern of the files with the records of a machine's programs, in the machine's
// directory. They are written when the host writes records, too.
const LifeFiles = programsDir + "/*" + lifeSuffix

const (
	lifeSuffix = ".life"
	lockSuffix = ".lock"
	exitSuffix = ".exit"
	exitFormat = "%d %d\n" // the keeper's process id, and how the program ended
)

// maxProgramName bounds the name of a program.
const maxProgramName = 100

// ErrProgram means that a program could not be started, seen or ended.
var ErrProgram = errors.New("program failed")

// programFile is the path of a program's file.
func programFile(dir, name, suffix string) (string, error) {
	if name == "" || len(name) > maxProgramName {
		return "", fmt.Errorf("%w: a name of %d bytes, must be 1 to %d", ErrProgram, len(name), maxProgramName)
	}
	return filepath.Join(dir, programsDir, url.PathEscape(name)+suffix), nil
}
