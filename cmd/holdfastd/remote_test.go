package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
)

const oneNode = `totem {
  version: 2
  cluster_name: lab
  secauth: on
}
nodelist {
  node {
    name: n1
    nodeid: 1
    quorum_votes: 1
    ring0_addr: 127.0.0.1
  }
}
quorum {
  provider: corosync_votequorum
}
`

// freePort finds a port of the loopback address that is free now, for both protocols.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// remoteNode is a cluster of one node that serves its API over TCP.
type remoteNode struct {
	t            *testing.T
	dir, address string
	client       *http.Client
}

func newRemoteNode(t *testing.T) *remoteNode {
	n := &remoteNode{t: t, dir: t.TempDir(), address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	for name, text := range map[string]string{"corosync.conf": oneNode, "authkey": goodKey,
		"machine.json": fmt.Sprintf(`{"machine": 0, "name": "n1", "api_addr": %q, "timescale": "1/10",
			"links": [{"addrs": ["127.0.0.1"], "port": %d}]}`, n.address, min(freePort(t), 60000))} {
		require.NoError(t, os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600))
	}
	return n
}

// token runs holdfastd api-token and returns what it prints.
func (n *remoteNode) token(code int, args ...string) string {
	n.t.Helper()
	var out, errs bytes.Buffer
	args = append(args, filepath.Join(n.dir, "machine.json"))
	require.Equal(n.t, code, runToken(args, &out, &errs), "%s", &errs)
	return strings.TrimSpace(out.String() + errs.String())
}

// start runs the node until the test ends.
func (n *remoteNode) start() {
	file, err := host.ReadMachineFile(filepath.Join(n.dir, "machine.json"))
	require.NoError(n.t, err)
	list, err := processes(nodemain.Machine{File: file, Dir: n.dir})
	require.NoError(n.t, err)
	cfg := file.Config(n.dir)
	cfg.Processes = list
	observe(&cfg)
	h, err := host.New(cfg)
	require.NoError(n.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	n.t.Cleanup(func() { cancel(); require.NoError(n.t, <-ended) })

	authority, err := os.ReadFile(filepath.Join(n.dir, "api.crt"))
	require.NoError(n.t, err)
	pool := x509.NewCertPool()
	require.True(n.t, pool.AppendCertsFromPEM(authority))
	n.client = &http.Client{Timeout: 20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	n.t.Cleanup(n.client.CloseIdleConnections)
}

func (n *remoteNode) ask(token, method, path, body string) (int, string) {
	n.t.Helper()
	r, err := http.NewRequest(method, "https://"+n.address+path, strings.NewReader(body))
	require.NoError(n.t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := n.client.Do(r)
	require.NoError(n.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(n.t, err)
	return answer.StatusCode, string(text)
}

// TestAPIOverTCP: no TLS, no certificate and no list of clients, no service; a reader reads, a writer writes.
func TestAPIOverTCP(t *testing.T) {
	n := newRemoteNode(t)
	_, err := host.New(host.Config{Name: "n1", Dir: n.dir, Processes: []host.Process{{Name: "p", New: nil}}})
	require.ErrorIs(t, err, host.ErrConfig)

	reader, writer := n.token(nodemain.ExitOK, "watcher"), n.token(nodemain.ExitOK, "--role",
		"write", "admin")
	require.Contains(t, n.token(nodemain.ExitUsage, "watcher"), `has a token called "watcher" already`)
	require.Contains(t, n.token(nodemain.ExitUsage, "--role", "all", "other"), `role "all"`)
	n.start()

	const path = hostapi.PathOp + store.Process
	require.Eventually(t, func() bool {
		status, _ := n.ask(reader, http.MethodGet, hostapi.PathReady, "")
		return status == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond)
	write := string((&store.Request{ID: "1", Op: "create", Path: "a", Data: []byte("x")}).Encode())
	read := string((&store.Request{ID: "2", Op: store.OpRead, Path: "a"}).Encode())
	status, text := n.ask("", http.MethodPost, path, write)
	require.Equal(t, http.StatusUnauthorized, status, text)
	status, text = n.ask(reader, http.MethodPost, path, write)
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, text, `this client has the role \"read\" and the operation may change something`)
	status, text = n.ask(writer, http.MethodPost, path, write)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `"ok":true`)
	status, text = n.ask(reader, http.MethodPost, path, read)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `"ok":true`)
	status, text = n.ask(reader, http.MethodPost, hostapi.PathOp+cluster.Name, cluster.OpRing)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `"quorate":true`)
	status, _ = n.ask(reader, http.MethodPost, hostapi.PathOp+cluster.Name, cluster.OpLeave)
	require.Equal(t, http.StatusForbidden, status)
	status, text = n.ask(writer, http.MethodPost, hostapi.PathOp+cluster.Name, "dance")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `the cluster process has no operation \"dance\"`)

	status, text = n.ask(reader, http.MethodGet, hostapi.PathMetrics, "")
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{"holdfast_ring_quorate 1", "holdfast_store_quorate 1",
		`holdfast_process_up{process="store"} 1`, `holdfast_ring_votes{kind="expected"} 1`,
		`holdfast_store_voters{node="1",present="true"} 1`, `holdfast_api_connections{listener="remote"} 1`} {
		require.Contains(t, text, line+"\n")
	}

	n.token(nodemain.ExitOK, "--remove", "admin")
	require.Eventually(t, func() bool {
		status, _ := n.ask(writer, http.MethodGet, hostapi.PathHealth, "")
		return status == http.StatusUnauthorized
	}, 30*time.Second, 100*time.Millisecond, "a token is withdrawn without a restart")
}

// TestRemoteNeedsItsFiles names what is missing.
func TestRemoteNeedsItsFiles(t *testing.T) {
	n := newRemoteNode(t)
	open := func() error {
		file, err := host.ReadMachineFile(filepath.Join(n.dir, "machine.json"))
		require.NoError(t, err)
		list, err := processes(nodemain.Machine{File: file, Dir: n.dir})
		require.NoError(t, err)
		cfg := file.Config(n.dir)
		cfg.Processes = list
		_, err = host.New(cfg)
		require.ErrorIs(t, err, host.ErrConfig)
		return err
	}
	require.ErrorContains(t, open(), "the API is served over TCP with TLS only")
	n.token(nodemain.ExitOK, "watcher")
	require.NoError(t, os.Remove(filepath.Join(n.dir, "api-clients.json")))
	require.ErrorContains(t, open(), "lists who may use the API over TCP")
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, "machine.json"), []byte(`{"machine": 0}`), 0o600))
	require.Contains(t, n.token(nodemain.ExitUsage, "x"), `has no "api_addr"`)
}

// TestCertificateNamesTheNode: the certificate that api-token makes has a subject, which programs that use
// OpenSSL
// (curl, Python) ask for, and the name that the node has in the nodelist.
func TestCertificateNamesTheNode(t *testing.T) {
	for name, c := range map[string]struct{ machine, conf, subject string }{
		"of the nodelist": {`{"machine": 0, "api_addr": "198.18.0.1:8600"}`, oneNode, "n1"},
		"of the machine file": {`{"machine": 0, "name": "hv1", "api_addr": "198.18.0.1:8600"}`,
			oneNode, "hv1"},
		"no cluster yet": {`{"machine": 0, "api_addr": "198.18.0.1:8600"}`, "", "holdfast"},
	} {
		t.Run(name, func(t *testing.T) {
			n := &remoteNode{t: t, dir: t.TempDir()}
			require.NoError(t, os.WriteFile(filepath.Join(n.dir, "machine.json"), []byte(c.machine), 0o600))
			if c.conf != "" {
				require.NoError(t, os.WriteFile(filepath.Join(n.dir, "corosync.conf"), []byte(c.conf), 0o600))
			}
			n.token(nodemain.ExitOK, "watcher")
			text, err := os.ReadFile(filepath.Join(n.dir, "api.crt"))
			require.NoError(t, err)
			block, _ := pem.Decode(text)
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			require.Equal(t, c.subject, cert.Subject.CommonName)
			require.Equal(t, c.subject, cert.Issuer.CommonName)
			if c.conf != "" {
				require.NoError(t, cert.VerifyHostname(c.subject))
			}
			require.NoError(t, cert.VerifyHostname("198.18.0.1"))
		})
	}
}
