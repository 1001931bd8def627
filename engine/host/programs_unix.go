//go:build unix

package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// programs runs programs for one incarnation of a process. Each program has a keeper, a process in a
// session of its own, and a lock file that keeper and program hold open: a program runs if and only if
// its file is locked, whoever started it.
type programs struct {
	dir         string
	records     bool // keepers write records
	incarnation *incarnation
}

// Programs implements env.ProgramHost.
func (e *procEnv) Programs() env.Programs {
	return &programs{dir: e.host.cfg.Dir, records: e.host.cfg.RecordFile != "", incarnation: e.incarnation}
}

// open opens a program's lock file and tries to lock it; false if something holds the lock, that is,
// runs.
func (p *programs) open(name string) (*os.File, bool, error) {
	if err := p.incarnation.pass(); err != nil {
		return nil, false, err
	}
	path, err := programFile(p.dir, name, lockSuffix)
	if err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrProgram, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrProgram, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
		f.Close()
		return nil, false, fmt.Errorf("%w: locking %s: %w", ErrProgram, path, err)
	}
	return f, err == nil, nil
}

// Start implements env.Programs.
func (p *programs) Start(name string, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("%w: %s has no command", ErrProgram, name)
	}
	f, free, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close() // the keeper has its own
	if !free {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("%w: finding the keeper: %w", ErrProgram, err)
	}
	records := ""
	if p.records {
		if records, err = programFile(p.dir, name, recordsSuffix); err != nil {
			return err
		}
	}
	keeper := exec.Command(self, append([]string{RunProgramArg, records, name}, command...)...)
	keeper.Dir = p.dir
	keeper.Env = append(os.Environ(), ProgramEnv+"="+name)
	keeper.Stdout, keeper.Stderr = os.Stdout, os.Stderr
	keeper.ExtraFiles = []*os.File{f}
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := keeper.Start(); err != nil {
		return fmt.Errorf("%w: starting %s: %w", ErrProgram, name, err)
	}
	go func() { _ = keeper.Wait() }() // leave no zombie; whether it runs is known from the lock
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(keeper.Process.Pid)), 0)
	}
	if err != nil {
		return fmt.Errorf("%w: noting the process of %s: %w", ErrProgram, name, err)
	}
	return nil
}

// Running implements env.Programs.
func (p *programs) Running(name string) (bool, error) {
	f, free, err := p.open(name)
	if err != nil {
		return false, err
	}
	return !free, f.Close()
}

// keeperOf returns the process id of the keeper from a lock file; 0 if there is none.
func keeperOf(f *os.File) int {
	var text [16]byte
	n, _ := f.ReadAt(text[:], 0) // an incomplete text is no number
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// Status implements env.Programs. An incarnation is named by the process id of its keeper, which also
// writes the exit code.
func (p *programs) Status(name string) (env.ProgramStatus, error) {
	f, free, err := p.open(name)
	if err != nil {
		return env.ProgramStatus{}, err
	}
	defer f.Close()
	s := env.ProgramStatus{Running: !free}
	keeper := keeperOf(f)
	if keeper == 0 {
		return s, nil
	}
	s.Incarnation = strconv.Itoa(keeper)
	path, err := programFile(p.dir, name, exitSuffix)
	if err != nil || s.Running {
		return s, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	var of, code int
	_, scan := fmt.Sscanf(string(text), exitFormat, &of, &code)
	if err == nil && scan == nil && of == keeper {
		s.Exited, s.ExitCode = true, code
	}
	return s, err
}

// Stop implements env.Programs.
func (p *programs) Stop(name string, force bool) error {
	f, free, err := p.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if free {
		return nil
	}
	pid := keeperOf(f)
	if pid == 0 {
		return fmt.Errorf("%w: ending %s: its lock %s is held and has no process id; end the program by hand",
			ErrProgram, name, f.Name())
	}
	sig := unix.SIGTERM
	if force {
		sig = unix.SIGKILL
	}
	if err := unix.Kill(-pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: ending %s: %w", ErrProgram, name, err)
	}
	return nil
}

// RunProgram is the main function of a keeper: it runs a program until the program has ended. args
// are the arguments after [RunProgramArg]: the record file ("" for none), the name and the command.
// The keeper passes its lock on to the program and writes heartbeats to the record file.
func RunProgram(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%w: %s needs a file, a name and a command", ErrProgram, RunProgramArg)
	}
	heartbeats, err := openRecords(args[0])
	if err != nil {
		return err
	}
	defer heartbeats.close()
	report := func(phase ProgramPhase) error {
		return heartbeats.write(kernelNow(), "program", ProgramHeartbeat{Name: args[1], Phase: phase})
	}
	lock := os.NewFile(3, "lock")
	// A request to end goes to the whole process group. The keeper itself only waits for the program.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := report(ProgramStarting); err != nil {
		return err
	}
	program := exec.Command(args[2], args[3:]...)
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	program.ExtraFiles = []*os.File{lock}
	if err := program.Start(); err != nil {
		return errors.Join(fmt.Errorf("%w: starting %s: %w", ErrProgram, args[1], err), report(ProgramEnded))
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	beat := time.NewTicker(ProgramHeartbeatInterval)
	defer beat.Stop()
	for {
		select {
		case <-asked:
		case <-beat.C:
			if err := report(ProgramRunning); err != nil {
				return err
			}
		case err := <-ended:
			return errors.Join(err, report(ProgramEnded), leaveExit(args[1], program.ProcessState))
		}
	}
}

// leaveExit writes how a program ended. The keeper's working directory is the machine's directory.
func leaveExit(name string, state *os.ProcessState) error {
	code := state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	path, err := programFile(".", name, exitSuffix)
	if err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, exitFormat, os.Getpid(), code), 0o600)
}
