package hostapi

import (
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
	once     sync.Once
}

// Addresses are where the API of a machine listens. An empty one is not served.
type Addresses struct {
	ClientSocket  string // path of a unix socket
	ClientAddr    string // TCP address such as "127.0.0.1:8600"
	ControlSocket string // path of a unix socket
}

// Open listens on every address; no request is answered until [Server.Serve]. It fails with ErrSocket if a
// path cannot be used. After an error nothing is left open.
func Open(at Addresses, m Machine) (servers []*Server, err error) {
	for _, want := range []struct {
		network, address string
		handler          http.Handler
	}{
		{"unix", at.ClientSocket, ClientHandler(m)},
		{"tcp", at.ClientAddr, ClientHandler(m)},
		{"unix", at.ControlSocket, ControlHandler(m)},
	} {
		if want.address == "" {
			continue
		}
		s, err := listen(want.network, want.address, want.handler)
		if err != nil {
			for _, open := range servers {
				open.Close()
			}
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// listen opens the server of one address.
func listen(network, address string, handler http.Handler) (*Server, error) {
	s := &Server{server: &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout,
		ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: log.New(io.Discard, "", 0)}}
	if network == "unix" {
		if err := removeStaleSocket(address); err != nil {
			return nil, err
		}
		s.path = address
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("listening for clients: %w", err)
	}
	s.listener = l
	if network == "unix" {
		if err := os.Chmod(address, socketMode); err != nil {
			l.Close()
			return nil, fmt.Errorf("protecting %s: %w", address, err)
		}
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
