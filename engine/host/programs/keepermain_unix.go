//go:build unix

package programs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
	"github.com/holdfast-sim/holdfast/engine/host/internal/records"
)

// RunKeeper is the main function of a keeper: it runs a program until the program has ended. args are the
// arguments after [KeeperArg]: the record file ("" for none), the name and the command. The keeper passes
// its lock on to the program and writes heartbeats to the record file.
func RunKeeper(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%w: %s needs a file, a name and a command", ErrProgram, KeeperArg)
	}
	heartbeats, err := records.Open(args[0])
	if err != nil {
		return err
	}
	defer heartbeats.Close()
	report := func(phase Phase) error {
		return heartbeats.Write(kernel.Now(), "program", Heartbeat{Name: args[1], Phase: phase})
	}
	lock := os.NewFile(3, "lock")
	// A request to end goes to the whole process group. The keeper itself only waits for the program.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := report(Starting); err != nil {
		return err
	}
	program := exec.Command(args[2], args[3:]...)
	program.Stdout, program.Stderr = os.Stdout, os.Stderr
	program.ExtraFiles = []*os.File{lock}
	if err := program.Start(); err != nil {
		return errors.Join(fmt.Errorf("%w: starting %s: %w", ErrProgram, args[1], err), report(Ended))
	}
	ended := make(chan error, 1)
	go func() { ended <- program.Wait() }()
	beat := time.NewTicker(HeartbeatInterval)
	defer beat.Stop()
	for {
		select {
		case <-asked:
		case <-beat.C:
			if err := report(Running); err != nil {
				return err
			}
		case err := <-ended:
			return errors.Join(err, report(Ended), leaveExit(args[1], program.ProcessState))
		}
	}
}

// leaveExit writes how a program ended. The keeper's working directory is the machine's directory.
func leaveExit(name string, state *os.ProcessState) error {
	code := state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	path, err := filePath(".", name, exitSuffix)
	if err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, exitFormat, os.Getpid(), code), 0o600)
}
