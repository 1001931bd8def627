package hostwatchdog

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

// Server is the server of a machine's watchdog socket. Programs of the machine arm and pet the watchdog,
// and Expired reports that an armed timeout has passed without a pet. What happens to the machine then is
// up to the server's owner. Until [Server.Rearm] it answers every request with an error: the machine is
// off.
type Server struct {
	listener      net.Listener
	expiredSignal chan struct{}
	connWG        sync.WaitGroup

	mu          sync.Mutex // protects the fields below
	conns       map[net.Conn]struct{}
	closed      bool
	machineOff  bool
	isArmed     bool
	petTimeout  time.Duration
	expiresAt   time.Time
	expiryTimer *time.Timer
}

// maxRequestBytes bounds a request, maxConns the connections of a machine.
const (
	maxRequestBytes = 128
	maxConns        = 64
)

var (
	errMachineOff     = errors.New("the machine is off")
	errUnknownRequest = errors.New("unknown request")
)

// NewServer serves the watchdog's protocol on a listener. Close closes the listener.
func NewServer(l net.Listener) *Server {
	s := &Server{listener: l, expiredSignal: make(chan struct{}, 1), conns: map[net.Conn]struct{}{}}
	s.expiryTimer = time.AfterFunc(time.Hour, s.onTimeout)
	s.expiryTimer.Stop()
	s.connWG.Go(s.serve)
	return s
}

// Expired returns a channel that delivers once for each expiry.
func (s *Server) Expired() <-chan struct{} { return s.expiredSignal }

// Armed reports whether the countdown runs.
func (s *Server) Armed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isArmed
}

// StopUntilRearm stops the countdown: the machine is off until Rearm.
func (s *Server) StopUntilRearm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switchOff()
}

// switchOff stops the countdown and closes all connections. The caller holds the lock.
func (s *Server) switchOff() {
	s.machineOff, s.isArmed = true, false
	s.expiryTimer.Stop()
	for c := range s.conns {
		c.Close()
	}
}

// Rearm notes that the machine boots, with its watchdog disarmed.
func (s *Server) Rearm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machineOff, s.isArmed = false, false
	select {
	case <-s.expiredSignal: // of the previous boot
	default:
	}
}

// Close stops the server and waits for its goroutines.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.switchOff()
	s.mu.Unlock()
	err := s.listener.Close()
	s.connWG.Wait()
	return err
}

// serve accepts connections until the listener is closed.
func (s *Server) serve() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		refused := s.closed || len(s.conns) >= maxConns
		if !refused {
			s.conns[c] = struct{}{}
		}
		s.mu.Unlock()
		if refused {
			c.Close()
			continue
		}
		s.connWG.Go(func() { s.serveConnection(c) })
	}
}

// serveConnection answers the requests of one connection.
func (s *Server) serveConnection(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, maxRequestBytes), maxRequestBytes)
	for lines.Scan() {
		answer := "ok"
		state, err := s.handleRequest(strings.Fields(lines.Text()))
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

// handleRequest carries out a request and returns the state if that was requested.
func (s *Server) handleRequest(words []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machineOff || s.closed {
		return "", errMachineOff
	}
	switch {
	case len(words) == 2 && words[0] == requestArm:
		ns, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || ns <= 0 {
			return "", fmt.Errorf("%q is no timeout in ns", words[1])
		}
		s.isArmed, s.petTimeout = true, time.Duration(ns)
		s.restartCountdown()
	case len(words) == 1 && words[0] == requestPet:
		s.restartCountdown()
	case len(words) == 1 && words[0] == requestDisarm:
		s.isArmed = false
		s.expiryTimer.Stop()
	case len(words) == 1 && words[0] == requestState:
		if s.isArmed {
			return "armed", nil
		}
	default:
		return "", fmt.Errorf("%w %q", errUnknownRequest, words)
	}
	return "", nil
}

// restartCountdown restarts the countdown if it runs. The caller holds the lock.
func (s *Server) restartCountdown() {
	if s.isArmed {
		s.expiresAt = time.Now().Add(s.petTimeout)
		s.expiryTimer.Reset(s.petTimeout)
	}
}

// onTimeout is called when the armed timeout may have passed.
func (s *Server) onTimeout() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machineOff || s.closed || !s.isArmed || time.Now().Before(s.expiresAt) {
		return
	}
	s.switchOff()
	select {
	case s.expiredSignal <- struct{}{}:
	default: // the last expiry was not received yet
	}
}
