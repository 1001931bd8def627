//go:build unix

package programs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// runner runs programs for one incarnation of a process. Each program has a keeper, a process in a
// session of its own, and a lock file that keeper and program hold open: a program runs if and only if
// its file is locked, whoever started it.
type runner struct {
	programsDir string
	recordsOn   bool         // keepers write records
	checkAlive  func() error // fails once the incarnation has ended
}

// New returns the programs of a machine for one incarnation of a process. dir is the machine's directory;
// with records, keepers write heartbeats there. Every call asks pass first, which waits while the process
// is paused and fails once it has ended. New returns nil on systems that are not Unix.
func New(dir string, records bool, pass func() error) env.Programs {
	return &runner{programsDir: dir, recordsOn: records, checkAlive: pass}
}

// tryLockFile makes a program's lock file if it is missing, opens it and tries to lock it; false if a keeper
// or program holds the lock, that is, runs. Closing the file releases the lock.
func (r *runner) tryLockFile(name string) (*os.File, bool, error) {
	if err := r.checkAlive(); err != nil {
		return nil, false, err
	}
	path, err := filePath(r.programsDir, name, lockSuffix)
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
func (r *runner) Start(name string, command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("%w: %s has no command", ErrProgram, name)
	}
	f, free, err := r.tryLockFile(name)
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
	if r.recordsOn {
		if records, err = filePath(r.programsDir, name, recordsSuffix); err != nil {
			return err
		}
	}
	keeper := exec.Command(self, append([]string{KeeperArg, records, name}, command...)...)
	keeper.Dir = r.programsDir
	keeper.Env = append(os.Environ(), NameEnv+"="+name)
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
func (r *runner) Running(name string) (bool, error) {
	f, free, err := r.tryLockFile(name)
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
func (r *runner) Status(name string) (env.ProgramStatus, error) {
	f, free, err := r.tryLockFile(name)
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
	path, err := filePath(r.programsDir, name, exitSuffix)
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
func (r *runner) Stop(name string, force bool) error {
	f, free, err := r.tryLockFile(name)
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
