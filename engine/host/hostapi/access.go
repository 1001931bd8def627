package hostapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Role is what a client may do over TCP.
type Role string

// Roles of a client.
const (
	RoleRead  Role = "read"  // everything that changes nothing
	RoleWrite Role = "write" // everything
)

// ClientsFile is the content of the file that lists who may use the API over TCP, in JSON.
type ClientsFile struct {
	Tokens       []TokenEntry       `json:"tokens,omitempty"`
	Certificates []CertificateEntry `json:"certificates,omitempty"`
}

// TokenEntry lets in a client that sends a token as "Authorization: Bearer TOKEN". The file has the
// token's SHA-256 in hexadecimal digits, so that its readers cannot use it.
type TokenEntry struct {
	Name   string `json:"name"`
	Role   Role   `json:"role"`
	SHA256 string `json:"sha256"`
}

// CertificateEntry lets in a client whose TLS certificate is signed by the configured authority and has
// this common name.
type CertificateEntry struct {
	CommonName string `json:"common_name"`
	Role       Role   `json:"role"`
}

// ErrAccess is wrapped by every error about who may use the API.
var ErrAccess = errors.New("access to the API")

const (
	maxClientsFileBytes = 1 << 20
	// MinTokenBytes is the length of the shortest token that the API accepts.
	MinTokenBytes = 20
	// clientsFileEvery is how often the file is looked at for changes, at most.
	clientsFileEvery = time.Second
)

// DecodeClients reads a file of clients strictly. It fails with ErrAccess.
func DecodeClients(data []byte) (*ClientsFile, error) {
	var f ClientsFile
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAccess, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: text after the end of the object", ErrAccess)
	}
	names := map[string]bool{}
	for _, t := range f.Tokens {
		sum, err := hex.DecodeString(t.SHA256)
		switch {
		case t.Name == "" || names[t.Name]:
			return nil, fmt.Errorf("%w: two tokens are called %q, or one has no name", ErrAccess, t.Name)
		case err != nil || len(sum) != sha256.Size:
			return nil, fmt.Errorf("%w: the sha256 of token %q must have 64 hexadecimal digits", ErrAccess,
				t.Name)
		}
		names[t.Name] = true
		if err := t.Role.check(); err != nil {
			return nil, err
		}
	}
	for _, c := range f.Certificates {
		if c.CommonName == "" {
			return nil, fmt.Errorf("%w: a certificate without common_name", ErrAccess)
		}
		if err := c.Role.check(); err != nil {
			return nil, err
		}
	}
	return &f, nil
}

func (r Role) check() error {
	if r != RoleRead && r != RoleWrite {
		return fmt.Errorf("%w: role %q: write %q or %q", ErrAccess, r, RoleRead, RoleWrite)
	}
	return nil
}

// HashToken returns what the file of clients has in place of a token.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// access decides who may use a TCP listener. The file is read again when it has changed, so that a token
// can be withdrawn without a restart; while it cannot be read, no client is let in.
type access struct {
	path  string
	hosts map[string]bool // allowed values of the header Host, without port

	mu       sync.Mutex
	lookedAt time.Time
	modTime  time.Time
	clients  *ClientsFile
	err      error
}

func newAccess(path string, hosts []string) (*access, error) {
	a := &access{path: path, hosts: map[string]bool{}}
	for _, h := range hosts {
		a.hosts[strings.ToLower(h)] = true
	}
	_, err := a.current(time.Now())
	return a, err
}

// current returns the clients as of now.
func (a *access) current(now time.Time) (*ClientsFile, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.lookedAt.IsZero() && now.Sub(a.lookedAt) < clientsFileEvery {
		return a.clients, a.err
	}
	a.lookedAt = now
	info, err := os.Stat(a.path)
	if err == nil && a.clients != nil && info.ModTime().Equal(a.modTime) {
		return a.clients, a.err
	}
	a.clients, a.err = nil, err
	if err == nil && info.Size() > maxClientsFileBytes {
		a.err = fmt.Errorf("%w: %s has more than %d bytes", ErrAccess, a.path, maxClientsFileBytes)
	}
	if a.err == nil {
		var data []byte
		if data, a.err = os.ReadFile(a.path); a.err == nil {
			a.clients, a.err = DecodeClients(data)
			a.modTime = info.ModTime()
		}
	}
	if errors.Is(a.err, fs.ErrNotExist) {
		a.err = fmt.Errorf("%w: %s is missing: it lists who may use the API over TCP", ErrAccess, a.path)
	} else if a.err != nil {
		a.err = fmt.Errorf("reading %s: %w", a.path, a.err)
	}
	return a.clients, a.err
}

// roleOf returns the role of the client of a request; "" for a stranger.
func (a *access) roleOf(r *http.Request) (Role, error) {
	clients, err := a.current(time.Now())
	if err != nil {
		return "", err
	}
	// The scheme is not case-sensitive (RFC 9110, 11.1).
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if len(token) < MinTokenBytes {
			return "", nil
		}
		hash, role := []byte(HashToken(token)), Role("")
		for _, t := range clients.Tokens {
			if subtle.ConstantTimeCompare(hash, []byte(strings.ToLower(t.SHA256))) == 1 {
				role = t.Role
			}
		}
		return role, nil
	}
	// crypto/tls has verified the chain: the listener's configuration wants it of every certificate.
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		name := r.TLS.VerifiedChains[0][0].Subject.CommonName
		for _, c := range clients.Certificates {
			if c.CommonName == name {
				return c.Role, nil
			}
		}
	}
	return "", nil
}

// denial is why a request is not served.
type denial struct {
	status int
	reason string
}

// check decides about a request before anything of it is done. A web page that a browser shows to an
// administrator can send requests, so none with an Origin is served, a request must name this machine as
// its Host, and an operation must have a type that a page cannot send without asking first (Fetch
// Standard, CORS-safelisted request-header).
func (a *access) check(r *http.Request) (Role, *denial) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !a.hosts[strings.ToLower(strings.Trim(host, "[]"))] {
		return "", &denial{http.StatusMisdirectedRequest, fmt.Sprintf("this machine is not %q", host)}
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return "", &denial{http.StatusForbidden, "requests of web pages are not served"}
	}
	if r.Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" && kind != "application/octet-stream" {
			return "", &denial{http.StatusUnsupportedMediaType,
				"Content-Type must be application/json or application/octet-stream"}
		}
	}
	role, err := a.roleOf(r)
	switch {
	case err != nil:
		return "", &denial{http.StatusServiceUnavailable, err.Error()}
	case role == "":
		return "", &denial{http.StatusUnauthorized,
			"send a token as \"Authorization: Bearer TOKEN\", or use a client certificate"}
	}
	return role, nil
}

// guard lets only clients with a role reach a handler.
func (a *access) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		role, no := a.check(r)
		if no != nil {
			if no.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			writeOutcome(w, no.status, OutcomeRefused, fmt.Errorf("%w: %s", ErrAccess, no.reason))
			return
		}
		next.ServeHTTP(w, r.WithContext(withRole(r.Context(), role)))
	})
}

// roleKey is the key of the client's role in the context of a request over TCP.
type roleKey struct{}

func withRole(ctx context.Context, role Role) context.Context {
	return context.WithValue(ctx, roleKey{}, role)
}

// roleFrom returns the role of the client of a request: whoever may open a unix socket may do everything.
func roleFrom(ctx context.Context) Role {
	if role, ok := ctx.Value(roleKey{}).(Role); ok {
		return role
	}
	return RoleWrite
}
