package nodemain

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
)

// A supervised machine is two processes. The first is what the user sees and may kill: its end is
// the machine's power cut. The second, in a session of its own, is the power supply: it adopts
// whatever the program and its children leave behind, so that it can end all of it, and it reads
// from the first until no process can write any longer.

// rebootTime is how long a machine that its watchdog has reset takes until it begins anew,
// unscaled.
const rebootTime = 20 * time.Second

// stopRequest asks for an orderly end.
const stopRequest = "stop"

// superviseMain is the first process.
func superviseMain(name string, cfg host.Config, file, logFormat string, stderr io.Writer) int {
	said := messages(stderr, name, logFormat)
	socket, err := superviseSocket(&cfg)
	if err != nil {
		fmt.Fprintf(said, "%s: %v\n", name, err)
		return ExitUsage
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(said, "%s: finding this program: %v\n", name, err)
		return ExitInternal
	}
	if err := adoptOrphans(); err != nil {
		fmt.Fprintf(said, "%s: %v\n", name, err)
		return ExitInternal
	}
	supply := exec.Command(self, SuperviseArg, socket, file, logFormat)
	supply.Stdout, supply.Stderr = os.Stdout, stderr
	supply.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	line, err := supply.StdinPipe()
	if err == nil {
		err = supply.Start()
	}
	if err != nil {
		fmt.Fprintf(said, "%s: starting the machine: %v\n", name, err)
		return ExitInternal
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range signals {
			_, _ = io.WriteString(line, stopRequest+"\n") // an error means that it has ended already
		}
	}()
	err = supply.Wait()
	// A supply that was killed, for example for lack of memory, has left everything running that it had
	// started, and other nodes are about to start the same services.
	if killErr := endDescendants(func() { reapAll(nil) }); killErr != nil {
		fmt.Fprintf(said, "%s: %v\n", name, killErr)
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() > 0 {
		return ended.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(said, "%s: the machine's supply ended: %v\n", name, err)
		return ExitInternal
	}
	return ExitOK
}

// powerSupply is the second process: a machine's power supply and watchdog.
type powerSupply struct {
	watchdogServer *hostwatchdog.Server
	machineFile    string
	logFormat      string
	timescale      timescale.Ratio
	bootCount      int
	programPID     int  // process id of the program, 0: none
	isStopping     bool // it shall go down
	exitedPrograms chan exitedProgram
	parentRequests chan string // closed when the first process is gone
	log            *log.Logger
}

type exitedProgram struct {
	pid    int
	status unix.WaitStatus
}

// RunMachine is the second process; args are those after [SuperviseArg]. The exit code is the
// program's when it ends by itself at once, because of its configuration.
func RunMachine(args []string) (code int, err error) {
	if len(args) != 3 {
		return ExitUsage, fmt.Errorf("%w: it takes a socket, a machine file and a log format", errSupervise)
	}
	logAs(os.Stderr, "supervisor", args[2])
	runtime.LockOSThread() // the program dies with the thread that started it
	if err := adoptOrphans(); err != nil {
		return ExitInternal, err
	}
	file, err := host.ReadMachineFile(args[1])
	if err != nil {
		return ExitUsage, err
	}
	s := &powerSupply{machineFile: args[1], logFormat: args[2], exitedPrograms: make(chan exitedProgram, 64),
		parentRequests: make(chan string, 1),
		log:            log.New(messages(os.Stderr, "supervisor", args[2]), "supervisor: ", 0)}
	if file.Timescale != "" {
		if s.timescale, err = timescale.Parse(file.Timescale); err != nil {
			return ExitUsage, err
		}
	}
	if c, err := net.Dial("unix", args[0]); err == nil {
		c.Close()
		return ExitUsage, fmt.Errorf("%w: %s is served by another supervisor: stop it first", errSupervise,
			args[0])
	}
	if err := os.Remove(args[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
		return ExitUsage, fmt.Errorf("%w: %w", errSupervise, err)
	}
	l, err := net.Listen("unix", args[0])
	if err != nil {
		return ExitUsage, fmt.Errorf("%w: %w", errSupervise, err)
	}
	s.watchdogServer = hostwatchdog.NewServer(l)
	defer s.watchdogServer.Close()
	go s.listen(os.Stdin)
	return s.bootUntilStopped()
}

// listen passes on the lines of the first process, until it is gone.
func (s *powerSupply) listen(from io.Reader) {
	defer close(s.parentRequests)
	for words := bufio.NewScanner(from); words.Scan(); {
		s.parentRequests <- words.Text()
	}
}

// bootUntilStopped boots the machine again and again until the first process ends it.
func (s *powerSupply) bootUntilStopped() (int, error) {
	for {
		s.bootCount++
		s.watchdogServer.Rearm()
		again, code, err := s.runBoot()
		if err := s.killAll(); err != nil {
			return ExitInternal, err
		}
		if !again || err != nil {
			return code, err
		}
		s.log.Printf("the machine was reset; it begins anew in %v", s.timescale.Of(rebootTime))
		select {
		case <-s.parentRequests:
			return ExitOK, nil
		case <-time.After(s.timescale.Of(rebootTime)):
		}
	}
}

// restartAfter is how long a program that ended by itself is left alone.
const restartAfter = time.Second

// runBoot is one incarnation of the machine, from its power-up; again means that another one follows.
func (s *powerSupply) runBoot() (again bool, code int, err error) {
	if err := s.startProgram(); err != nil {
		return false, ExitInternal, err
	}
	reaped := time.NewTicker(reapEvery)
	defer reaped.Stop()
	var restart <-chan time.Time
	for {
		select {
		case <-s.watchdogServer.Expired():
			return !s.isStopping, ExitOK, nil
		case word := <-s.parentRequests:
			if word != stopRequest || s.isStopping || !s.shutDown() {
				return false, ExitOK, nil
			}
			// until it has ended: a second request, or the end of its sender, does not wait
			s.isStopping = true
		case <-reaped.C:
			s.reapOrphans()
		case e := <-s.exitedPrograms:
			switch code := e.status.ExitStatus(); {
			case code == ExitUsage:
				return false, code, nil // it has said why
			case code == ExitReboot:
				return !s.isStopping, ExitOK, nil
			case code == ExitOK && s.isStopping:
				return false, ExitOK, nil
			}
			s.log.Printf("the program ended (%s)", describe(e.status))
			// As on a real machine: what it leaves behind keeps running, and so does an armed watchdog.
			restart = time.After(restartAfter)
		case <-restart:
			if err := s.startProgram(); err != nil {
				return false, ExitInternal, err
			}
			restart = nil
		}
	}
}

func describe(w unix.WaitStatus) string {
	if w.Signaled() {
		return w.Signal().String()
	}
	return "exit code " + strconv.Itoa(w.ExitStatus())
}

func (s *powerSupply) startProgram() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("%w: finding this program: %w", errSupervise, err)
	}
	p, err := os.StartProcess(self, []string{self, "--log-format", s.logFormat, s.machineFile}, &os.ProcAttr{
		Files: []*os.File{nil, os.Stdout, os.Stderr},
		Env:   append(os.Environ(), fmt.Sprintf("%s=%d/%d", bootEnv, os.Getpid(), s.bootCount)),
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}})
	if err != nil {
		return fmt.Errorf("%w: starting the program: %w", errSupervise, err)
	}
	s.programPID = p.Pid
	return p.Release() // it is reaped with all others
}

// reapEvery is how often children that have ended are looked for.
const reapEvery = 20 * time.Millisecond

// adoptOrphans makes this process the parent of everything below it that loses its own.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: adopting what the program leaves behind: %w", errSupervise, err)
	}
	return nil
}

// reapOrphans takes leave of every child that has ended, its own and adopted ones.
func (s *powerSupply) reapOrphans() {
	reapAll(func(pid int, status unix.WaitStatus) {
		if pid == s.programPID {
			s.programPID = 0
			s.exitedPrograms <- exitedProgram{pid, status}
		}
	})
}

// reapAll takes leave of every child that has ended and reports each, unless report is nil.
func reapAll(report func(pid int, status unix.WaitStatus)) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if report != nil {
			report(pid, status)
		}
	}
}

// powerDownSignals ask a machine's program to take the machine down in good order, with its services. A
// signal always arrives, however many clients hold the program's API.
var powerDownSignals = []os.Signal{unix.SIGPWR}

// shutDown asks the program to take the machine down in good order; false when there is none.
func (s *powerSupply) shutDown() bool {
	if s.programPID == 0 || unix.Kill(s.programPID, unix.SIGPWR) != nil {
		return false
	}
	s.log.Printf("the machine shuts down; interrupt again not to wait")
	return true
}

// killTime bounds how long what was killed may take to be gone.
const killTime = 10 * time.Second

// killAll ends everything that the machine has started, however far it has gone from its parents.
func (s *powerSupply) killAll() error {
	s.watchdogServer.StopUntilRearm()
	if err := endDescendants(s.reapOrphans); err != nil {
		return err
	}
	s.programPID = 0
	for len(s.exitedPrograms) > 0 {
		<-s.exitedPrograms
	}
	return nil
}

// endDescendants kills every process below this one, until none is left. reap takes leave of those that have
// ended.
func endDescendants(reap func()) error {
	for end := time.Now().Add(killTime); ; time.Sleep(time.Millisecond) {
		reap()
		pids, err := descendants(os.Getpid())
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: processes %v are still there %v after they were killed", errSupervise,
				pids, killTime)
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("%w: killing process %d: %w", errSupervise, pid, err)
			}
		}
	}
}

// descendants lists the processes below one, at one look: what is started meanwhile is found by
// the next.
func descendants(of int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("%w: listing processes: %w", errSupervise, err)
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	for next := []int{of}; len(next) > 0; {
		below := children[next[0]]
		next = append(next[1:], below...)
		out = append(out, below...)
	}
	return out, nil
}

// parentOf reads a process's parent; false when it is gone.
func parentOf(pid int) (int, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the name in parentheses and may hold anything.
	var state string
	var parent int
	if _, err := fmt.Sscan(string(data[bytes.LastIndexByte(data, ')')+1:]), &state, &parent); err != nil {
		return 0, false
	}
	return parent, true
}
