package hostapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Remote is where and to whom the API is served over TCP. There is no TCP without TLS, and no request
// without a token or a client certificate.
type Remote struct {
	// Addr is an address such as "198.18.0.1:8600"; empty for none.
	Addr string
	// CertFile and KeyFile are the machine's certificate and key, PEM.
	CertFile, KeyFile string
	// ClientsFile lists the clients and their roles, see [ClientsFile].
	ClientsFile string
	// ClientCAFile is the authority of client certificates, PEM; empty to use tokens only.
	ClientCAFile string
}

func listenRemote(r Remote, name string, handler func(*limiter) *http.ServeMux) (*Server, error) {
	cert := &certificate{certFile: r.CertFile, keyFile: r.KeyFile}
	leaf, err := cert.current(time.Now())
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return cert.current(time.Now())
		}}
	if r.ClientCAFile != "" {
		if conf.ClientCAs, err = readAuthority(r.ClientCAFile); err != nil {
			return nil, err
		}
		conf.ClientAuth = tls.VerifyClientCertIfGiven
	}
	l, err := net.Listen("tcp", r.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for clients: %w", err)
	}
	a, err := newAccess(r.ClientsFile, hostsOf(l.Addr(), r.Addr, name, leaf.Leaf))
	if err != nil {
		l.Close()
		return nil, err
	}
	s := newServer(remoteLimits, handler)
	s.server.Handler = a.guard(s.server.Handler)
	s.listener = tls.NewListener(&limitListener{Listener: l, limiter: s.limiter}, conf)
	return s, nil
}

// hostsOf lists the names by which clients may reach a listener.
func hostsOf(at net.Addr, configured, name string, cert *x509.Certificate) []string {
	hosts := append([]string{name, "localhost"}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	for _, addr := range []string{at.String(), configured} {
		if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// readAuthority reads the certificates that sign those of clients.
func readAuthority(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the authority of clients: %w", ErrAccess, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%w: %s has no certificate in PEM form", ErrAccess, path)
	}
	return pool, nil
}

// certificate is the machine's own, read again when its file has changed.
type certificate struct {
	certFile, keyFile string

	mu       sync.Mutex
	lookedAt time.Time
	modTime  time.Time
	pair     *tls.Certificate
}

// current returns the certificate as of now. While a new one cannot be read the old one stays.
func (c *certificate) current(now time.Time) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && now.Sub(c.lookedAt) < clientsFileEvery {
		return c.pair, nil
	}
	c.lookedAt = now
	info, err := os.Stat(c.certFile)
	if err == nil && (c.pair == nil || !info.ModTime().Equal(c.modTime)) {
		err = c.read(info.ModTime())
	}
	if c.pair != nil {
		return c.pair, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s or %s is missing: the API is served over TCP with TLS only", ErrAccess,
			c.certFile, c.keyFile)
	}
	return nil, fmt.Errorf("%w: %w", ErrAccess, err)
}

func (c *certificate) read(modTime time.Time) error {
	info, err := os.Stat(c.keyFile)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && os.PathSeparator == '/' {
		return fmt.Errorf("the key %s may be read by others (mode %04o): run chmod 600 %s", c.keyFile, mode,
			c.keyFile)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading %s: %w", c.certFile, err)
	}
	c.pair, c.modTime = &pair, modTime
	return nil
}
