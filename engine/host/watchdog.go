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

// The requests of the watchdog's protocol. A request is one line, and so is its answer: "ok", "ok armed" or
// "error ...".
const (
	requestArm    = "arm" // with the time in ns
	requestPet    = "pet"
	requestDisarm = "disarm"
	requestState  = "state"
)

// watchdogExchangeTimeout bounds one exchange with a watchdog server, which is on the same machine.
const watchdogExchangeTimeout = time.Second

// watchdogClient is a watchdog outside of the machine: a [WatchdogServer] on a unix socket that resets
// the whole machine when an armed timeout passes without a pet.
type watchdogClient struct {
	path string

	mu    sync.Mutex
	conn  net.Conn
	lines *bufio.Reader
}

var _ env.Watchdog = (*watchdogClient)(nil)

// ErrWatchdog means that a machine's watchdog could not be reached, or refused.
var ErrWatchdog = errors.New("watchdog device failed")

// NoWatchdog, in place of a watchdog's path, runs the machine without one: processes find a watchdog that
// resets nothing.
const NoWatchdog = "none"

// openWatchdog opens the watchdog that a configuration names; nil if it names none. dir is the machine's
// directory.
func openWatchdog(path, dir string) (env.Watchdog, error) {
	switch path {
	case "":
		return nil, nil
	case NoWatchdog:
		return &noopWatchdog{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the watchdog cannot be used: %w; load the module softdog, or leave "+
			"watchdog out and go without high availability", ErrConfig, err)
	}
	switch {
	case info.Mode()&os.ModeSocket != 0:
		s := &watchdogClient{path: path}
		_, err := s.ask(requestState)
		return s, err
	case info.Mode()&os.ModeCharDevice != 0:
		return openDevice(path, dir)
	}
	return nil, fmt.Errorf("%w: the watchdog %s is neither a device nor the socket of a supervisor",
		ErrConfig, path)
}

// ask makes one exchange, on a new connection if the last one is lost.
func (s *watchdogClient) ask(request string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		c, err := net.DialTimeout("unix", s.path, watchdogExchangeTimeout)
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

// exchange sends a request and returns the answer.
func (s *watchdogClient) exchange(request string) (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(watchdogExchangeTimeout)); err != nil {
		return "", err
	}
	if _, err := s.conn.Write([]byte(request + "\n")); err != nil {
		return "", err
	}
	line, err := s.lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

// Arm implements env.Watchdog.
func (s *watchdogClient) Arm(timeout time.Duration) error {
	_, err := s.ask(requestArm + " " + strconv.FormatInt(int64(timeout), 10))
	return err
}

// Pet implements env.Watchdog. If the pet does not arrive, the machine is reset.
func (s *watchdogClient) Pet() { _, _ = s.ask(requestPet) }

// Disarm implements env.Watchdog.
func (s *watchdogClient) Disarm() error {
	_, err := s.ask(requestDisarm)
	return err
}

// Armed implements env.Watchdog. A server that does not answer may be armed.
func (s *watchdogClient) Armed() bool {
	state, err := s.ask(requestState)
	return err != nil || state == "armed"
}

// noopWatchdog is the watchdog of a machine that runs without one. It remembers whether it is armed and
// resets nothing.
type noopWatchdog struct{ armed atomic.Bool }

// Arm implements env.Watchdog.
func (w *noopWatchdog) Arm(time.Duration) error { w.armed.Store(true); return nil }

// Pet implements env.Watchdog.
func (w *noopWatchdog) Pet() {}

// Disarm implements env.Watchdog.
func (w *noopWatchdog) Disarm() error { w.armed.Store(false); return nil }

// Armed implements env.Watchdog.
func (w *noopWatchdog) Armed() bool { return w.armed.Load() }

// incarnationWatchdog is the machine's watchdog for one incarnation of a process: an incarnation that has
// ended or is paused pets nothing.
type incarnationWatchdog struct {
	env.Watchdog
	incarnation *incarnation
}

// Arm implements env.Watchdog.
func (g incarnationWatchdog) Arm(timeout time.Duration) error {
	if err := g.incarnation.pass(); err != nil {
		return err
	}
	return g.Watchdog.Arm(timeout)
}

// Pet implements env.Watchdog.
func (g incarnationWatchdog) Pet() {
	if g.incarnation.pass() == nil {
		g.Watchdog.Pet()
	}
}

// Disarm implements env.Watchdog.
func (g incarnationWatchdog) Disarm() error {
	if err := g.incarnation.pass(); err != nil {
		return err
	}
	return g.Watchdog.Disarm()
}

// Watchdog implements env.WatchdogHost.
func (e *procEnv) Watchdog() env.Watchdog {
	if e.host.watchdog == nil {
		return nil
	}
	return incarnationWatchdog{e.host.watchdog, e.incarnation}
}
