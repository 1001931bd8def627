package hostapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// ErrSocket means that the path of a socket cannot be used.
var ErrSocket = errors.New("the socket cannot be used")

// Limits of a connection.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	socketMode     = 0o600
)

// Server serves the API on one address. Create it with [Open].
type Server struct {
	listener net.Listener
	path     string // of the unix socket, to remove
	server   *http.Server
	name     string
	limiter  *limiter
	once     sync.Once
}

// Addresses are where a machine's API is served. Empty ones are not.
type Addresses struct {
	ClientSocket  string // path of a unix socket
	ControlSocket string // path of a unix socket
	Remote        Remote
	// Name is the machine's name, by which clients over TCP may reach it.
	Name string
}

// Names of the listeners, as in [ListenerHealth].
const (
	ListenerSocket  = "socket"
	ListenerRemote  = "remote"
	ListenerControl = "control"
)

// Open listens at all addresses, with nothing left open after an error.
func Open(at Addresses, m Machine) (servers []*Server, err error) {
	client := func(l *limiter) *http.ServeMux { return clientHandler(m, l) }
	control := func(l *limiter) *http.ServeMux { return controlHandler(m, l) }
	for _, l := range []struct {
		name, address string
		listen        func() (*Server, error)
	}{
		{ListenerSocket, at.ClientSocket, func() (*Server, error) {
			return listenUnix(at.ClientSocket, client)
		}},
		{ListenerRemote, at.Remote.Addr, func() (*Server, error) {
			return listenRemote(at.Remote, at.Name, client)
		}},
		{ListenerControl, at.ControlSocket, func() (*Server, error) {
			return listenUnix(at.ControlSocket, control)
		}},
	} {
		if l.address == "" {
			continue
		}
		s, err := l.listen()
		if err != nil {
			for _, open := range servers {
				open.Close()
			}
			return nil, err
		}
		s.name = l.name
		servers = append(servers, s)
	}
	return servers, nil
}

// newServer makes a server whose clients are within the limits.
func newServer(l limits, handler func(*limiter) *http.ServeMux) *Server {
	s := &Server{limiter: newLimiter(l)}
	s.server = &http.Server{Handler: handler(s.limiter), ReadHeaderTimeout: headerTimeout,
		ReadTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ConnContext: withClient,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // a connection is one request
		ErrorLog:     log.New(io.Discard, "", 0)}
	return s
}

func listenUnix(path string, handler func(*limiter) *http.ServeMux) (*Server, error) {
	s := newServer(localLimits, handler)
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	s.path = path
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening for clients: %w", err)
	}
	s.listener = &limitListener{Listener: l, limiter: s.limiter, plain: true}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, fmt.Errorf("protecting %s: %w", path, err)
	}
	return s, nil
}

// removeStaleSocket removes the socket that a killed program left. It fails with ErrSocket for a socket
// that a program serves, because two programs for one machine would be a mistake, and for a path that is
// no socket.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%w: %s is there and is no socket: choose another path", ErrSocket, path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%w: %s is served by a running program: stop it first", ErrSocket, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a stale socket: %w", err)
	}
	return nil
}

// Addr returns the address on which the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Health returns what the clients of the server hold.
func (s *Server) Health() ListenerHealth {
	h := s.limiter.health()
	h.Name = s.name
	return h
}

// Serve answers requests until Close. It returns an error if it cannot continue.
func (s *Server) Serve() error {
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving clients: %w", err)
	}
	return nil
}

// Close ends the server and removes its socket. Further calls do nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		s.server.Close()
		s.listener.Close()
		if s.path != "" {
			_ = os.Remove(s.path)
		}
	})
}
