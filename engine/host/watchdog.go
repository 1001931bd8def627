package host

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Words of a supervisor's protocol. A request is a line, and so is its answer: "ok", "ok armed"
// or "error ...".
const (
	dogArm    = "arm" // with the time in ns
	dogPet    = "pet"
	dogDisarm = "disarm"
	dogState  = "state"
)

// dogTimeout bounds one exchange with a supervisor, which is on the same machine.
const dogTimeout = time.Second

// supervisor is a watchdog outside of everything that it guards: somebody who listens on a unix
// socket and resets the whole machine when an armed time passes without a word.
type supervisor struct {
	path string

	mu    sync.Mutex
	conn  net.Conn
	lines *bufio.Reader
}

var _ env.Watchdog = (*supervisor)(nil)

// ErrWatchdog means that a machine's watchdog could not be reached or refused.
var ErrWatchdog = errors.New("watchdog device failed")

// NoWatchdog, in the place of a watchdog's path, says that whoever runs the machine does without:
// processes find a watchdog that resets nothing.
const NoWatchdog = "none"

// openWatchdog opens the device that a configuration names, nil when it names none; dir is the
// machine's directory.
func openWatchdog(path, dir string) (env.Watchdog, error) {
	switch path {
	case "":
		return nil, nil
	case NoWatchdog:
		return &waived{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the watchdog cannot be used: %w; load the module softdog, or leave "+
			"watchdog out and go without high availability", ErrConfig, err)
	}
	switch {
	case info.Mode()&os.ModeSocket != 0:
		s := &supervisor{path: path}
		_, err := s.ask(dogState)
		return s, err
	case info.Mode()&os.ModeCharDevice != 0:
		return openDevice(path, dir)
	}
	return nil, fmt.Errorf("%w: the watchdog %s is neither a device nor the socket of a supervisor", ErrConfig, path)
}

// ask makes one exchange, on a new connection when the last one is lost.
func (s *supervisor) ask(request string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		c, err := net.DialTimeout("unix", s.path, dogTimeout)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrWatchdog, err)
		}
		s.conn, s.lines = c, bufio.NewReader(c)
	}
	answer, err := s.exchange(request)
	if err != nil {
		s.conn.Close()
		s.conn = nil
		return "", fmt.Errorf("%w: asking for %s: %w", ErrWatchdog, request, err)
	}
	rest, ok := strings.CutPrefix(answer, "ok")
	if !ok {
		return "", fmt.Errorf("%w: %s: %s", ErrWatchdog, request, answer)
	}
	return strings.TrimSpace(rest), nil
}

func (s *supervisor) exchange(request string) (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(dogTimeout)); err != nil {
		return "", err
	}
	if _, err := s.conn.Write([]byte(request + "\n")); err != nil {
		return "", err
	}
	line, err := s.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// Arm implements env.Watchdog.
func (s *supervisor) Arm(timeout time.Duration) error {
	_, err := s.ask(dogArm + " " + strconv.FormatInt(int64(timeout), 10))
	return err
}

// Pet implements env.Watchdog. A pet that does not arrive is none: the machine is reset.
func (s *supervisor) Pet() { _, _ = s.ask(dogPet) }

// Disarm implements env.Watchdog.
func (s *supervisor) Disarm() error {
	_, err := s.ask(dogDisarm)
	return err
}

// Armed implements env.Watchdog. A device that does not answer may be armed.
func (s *supervisor) Armed() bool {
	state, err := s.ask(dogState)
	return err != nil || state == "armed"
}

// waived is the watchdog of a machine that does without one. It keeps the books and resets nothing.
type waived struct{ armed atomic.Bool }

// Arm implements env.Watchdog.
func (w *waived) Arm(time.Duration) error { w.armed.Store(true); return nil }

// Pet implements env.Watchdog.
func (w *waived) Pet() {}

// Disarm implements env.Watchdog.
func (w *waived) Disarm() error { w.armed.Store(false); return nil }

// Armed implements env.Watchdog.
func (w *waived) Armed() bool { return w.armed.Load() }

// guarded is the machine's watchdog as one life of a process has it: what has ended or is paused
// pets nothing.
type guarded struct {
	env.Watchdog
	life *life
}

// Arm implements env.Watchdog.
func (g guarded) Arm(timeout time.Duration) error {
	if err := g.life.pass(); err != nil {
		return err
	}
	return g.Watchdog.Arm(timeout)
}

// Pet implements env.Watchdog.
func (g guarded) Pet() {
	if g.life.pass() == nil {
		g.Watchdog.Pet()
	}
}

// Disarm implements env.Watchdog.
func (g guarded) Disarm() error {
	if err := g.life.pass(); err != nil {
		return err
	}
	return g.Watchdog.Disarm()
}

// Watchdog implements env.WatchdogHost.
func (e *procEnv) Watchdog() env.Watchdog {
	if e.host.dog == nil {
		return nil
	}
	return guarded{e.host.dog, e.life}
}
