// Package hostwatchdog holds the watchdogs that a real machine can have: a device of the kernel, and a
// socket whose server resets the machine from the outside. It has both ends of that socket, and describes
// a device for people.
//
// Package hostwatchdog never decides when a watchdog is armed or petted: the processes of the machine do.
package hostwatchdog

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

// exchangeTimeout bounds one exchange with a watchdog server, which is on the same machine.
const exchangeTimeout = time.Second

// client is a watchdog outside of the machine: a [Server] on a unix socket that resets the whole machine
// when an armed timeout passes without a pet.
type client struct {
	socketPath string

	mu     sync.Mutex
	conn   net.Conn
	reader *bufio.Reader
}

var _ env.Watchdog = (*client)(nil)

// ErrWatchdog means that a machine's watchdog could not be reached, or refused.
var ErrWatchdog = errors.New("watchdog device failed")

// ErrUnusable means that a path names no watchdog that this program can use.
var ErrUnusable = errors.New("the watchdog cannot be used")

// None, in place of a watchdog's path, runs the machine without one: processes find a watchdog that
// resets nothing.
const None = "none"

// Open opens the watchdog that a configuration names: the path of a device or of a server's socket, or
// [None]. It returns nil for an empty path. dir is the machine's directory, where a device leaves a note
// that it is armed. Open fails with ErrUnusable, and with ErrWatchdog if a server does not answer.
func Open(path, dir string) (env.Watchdog, error) {
	switch path {
	case "":
		return nil, nil
	case None:
		return &noopWatchdog{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; load the module softdog, or leave watchdog out and go without high "+
			"availability", ErrUnusable, err)
	}
	switch {
	case info.Mode()&os.ModeSocket != 0:
		c := &client{socketPath: path}
		_, err := c.request(requestState)
		return c, err
	case info.Mode()&os.ModeCharDevice != 0:
		return openDevice(path, dir)
	}
	return nil, fmt.Errorf("%w: %s is neither a device nor the socket of a supervisor", ErrUnusable, path)
}

// request makes one exchange, on a new connection if the last one is lost.
func (c *client) request(request string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		conn, err := net.DialTimeout("unix", c.socketPath, exchangeTimeout)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrWatchdog, err)
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	answer, err := c.exchange(request)
	if err != nil {
		c.conn.Close()
		c.conn = nil
		return "", fmt.Errorf("%w: asking for %s: %w", ErrWatchdog, request, err)
	}
	rest, ok := strings.CutPrefix(answer, "ok")
	if !ok {
		return "", fmt.Errorf("%w: %s: %s", ErrWatchdog, request, answer)
	}
	return strings.TrimSpace(rest), nil
}

// exchange sends a request and returns the answer.
func (c *client) exchange(request string) (string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return "", err
	}
	if _, err := c.conn.Write([]byte(request + "\n")); err != nil {
		return "", err
	}
	line, err := c.reader.ReadString('\n')
	return strings.TrimSpace(line), err
}

// Arm implements env.Watchdog.
func (c *client) Arm(timeout time.Duration) error {
	_, err := c.request(requestArm + " " + strconv.FormatInt(int64(timeout), 10))
	return err
}

// Pet implements env.Watchdog. If the pet does not arrive, the machine is reset.
func (c *client) Pet() { _, _ = c.request(requestPet) }

// Disarm implements env.Watchdog.
func (c *client) Disarm() error {
	_, err := c.request(requestDisarm)
	return err
}

// Armed implements env.Watchdog. A server that does not answer may be armed.
func (c *client) Armed() bool {
	state, err := c.request(requestState)
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
