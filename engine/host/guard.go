package host

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Guard is the other side of a machine's watchdog socket: it listens for the programs of a machine
// and says when an armed time has passed without a word. What it then does with the machine is its
// owner's business; until [Guard.Rearm] it answers nobody that the machine is on.
type Guard struct {
	listener net.Listener
	expired  chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conns   map[net.Conn]struct{}
	closed  bool
	off     bool
	armed   bool
	timeout time.Duration
	due     time.Time
	timer   *time.Timer
}

// maxGuardRequestBytes bounds a request, maxGuardConns the connections of a machine.
const (
	maxGuardRequestBytes = 128
	maxGuardConns        = 64
)

var (
	errGuardOff   = errors.New("the machine is off")
	errGuardWords = errors.New("unknown request")
)

// NewGuard serves the watchdog's protocol on a listener, which it closes in the end.
func NewGuard(l net.Listener) *Guard {
	g := &Guard{listener: l, expired: make(chan struct{}, 1), conns: map[net.Conn]struct{}{}}
	g.timer = time.AfterFunc(time.Hour, g.ring)
	g.timer.Stop()
	g.work.Go(g.serve)
	return g
}

// Expired delivers once for each expiry.
func (g *Guard) Expired() <-chan struct{} { return g.expired }

// Armed says whether the countdown runs.
func (g *Guard) Armed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.armed
}

// Off ends the countdown: the machine is off until Rearm.
func (g *Guard) Off() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.switchOff()
}

func (g *Guard) switchOff() {
	g.off, g.armed = true, false
	g.timer.Stop()
	for c := range g.conns {
		c.Close()
	}
}

// Rearm lets the machine begin anew, with its watchdog disarmed.
func (g *Guard) Rearm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.off, g.armed = false, false
	select {
	case <-g.expired: // of the life before
	default:
	}
}

// Close ends everything.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.closed = true
	g.switchOff()
	g.mu.Unlock()
	err := g.listener.Close()
	g.work.Wait()
	return err
}

func (g *Guard) serve() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return // closed
		}
		g.mu.Lock()
		refused := g.closed || len(g.conns) >= maxGuardConns
		if !refused {
			g.conns[c] = struct{}{}
		}
		g.mu.Unlock()
		if refused {
			c.Close()
			continue
		}
		g.work.Go(func() { g.talk(c) })
	}
}

func (g *Guard) talk(c net.Conn) {
	defer func() {
		c.Close()
		g.mu.Lock()
		delete(g.conns, c)
		g.mu.Unlock()
	}()
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, maxGuardRequestBytes), maxGuardRequestBytes)
	for lines.Scan() {
		answer := "ok"
		state, err := g.handle(strings.Fields(lines.Text()))
		switch {
		case err != nil:
			answer = "error " + err.Error()
		case state != "":
			answer += " " + state
		}
		if _, err := c.Write([]byte(answer + "\n")); err != nil {
			return
		}
	}
}

// handle carries out a request and returns the state that was asked for.
func (g *Guard) handle(words []string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.off || g.closed {
		return "", errGuardOff
	}
	switch {
	case len(words) == 2 && words[0] == dogArm:
		ns, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || ns <= 0 {
			return "", fmt.Errorf("%q is no time in ns", words[1])
		}
		g.armed, g.timeout = true, time.Duration(ns)
		g.pet()
	case len(words) == 1 && words[0] == dogPet:
		g.pet()
	case len(words) == 1 && words[0] == dogDisarm:
		g.armed = false
		g.timer.Stop()
	case len(words) == 1 && words[0] == dogState:
		if g.armed {
			return "armed", nil
		}
	default:
		return "", fmt.Errorf("%w %q", errGuardWords, words)
	}
	return "", nil
}

func (g *Guard) pet() {
	if g.armed {
		g.due = time.Now().Add(g.timeout)
		g.timer.Reset(g.timeout)
	}
}

// ring is called when the armed time may have passed.
func (g *Guard) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.off || g.closed || !g.armed || time.Now().Before(g.due) {
		return
	}
	g.switchOff()
	select {
	case g.expired <- struct{}{}:
	default: // nobody has looked at the last one yet
	}
}
