package chaos_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
)

// overTCP drives a program that can be reached only on a TCP port of its machine, with TLS and a token.
type overTCP struct {
	*hostdriver.Driver
	secrets map[string][]byte // what is beside the machine file
	trusted *x509.CertPool
}

const (
	tcpAddress = "127.0.0.1:8600"
	tcpToken   = "a-token-for-the-workload"
)

// newOverTCP makes the machines' certificate: package httptest has it for this address.
func newOverTCP(t *testing.T, driver *hostdriver.Driver) overTCP {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	d := overTCP{Driver: driver, trusted: x509.NewCertPool()}
	d.trusted.AddCert(server.Certificate())
	d.secrets = map[string][]byte{
		"api.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		"api.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"api-clients.json": fmt.Appendf(nil,
			`{"tokens": [{"name": "workload", "role": "write", "sha256": %q}]}`,
			hostapi.HashToken(tcpToken)),
	}
	return d
}

func (d overTCP) Files(m scenarios.Machine) ([]scenarios.File, error) {
	files, err := d.Driver.Files(m)
	for i := range files {
		if files[i].Name == hostdriver.MachineFile {
			files[i].Data = bytes.Replace(files[i].Data, []byte("{"),
				[]byte(`{"api_addr": "`+tcpAddress+`",`), 1)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.secrets)) {
		files = append(files, scenarios.File{Name: name, Data: d.secrets[name]})
	}
	return files, err
}

func (d overTCP) Dial(_ context.Context, m scenarios.Machine) (scenarios.Conn, error) {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return chaos.Dial(ctx, m, network, tcpAddress)
	}
	return tcpConn{&http.Client{Transport: &http.Transport{DialContext: dial,
		TLSClientConfig: &tls.Config{RootCAs: d.trusted}}}}, nil
}

type tcpConn struct{ client *http.Client }

func (c tcpConn) Do(ctx context.Context, process string, input []byte) ([]byte, error) {
	url := "https://" + tcpAddress + "/v1/op/" + process
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(input))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	request.Header.Set("Authorization", "Bearer "+tcpToken)
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", response.Status)
	}
	return io.ReadAll(response.Body)
}

func (c tcpConn) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func TestProgramThatListensOnTCPOnly(t *testing.T) {
	s := brief("tcp").MustBuild()
	good := subject(t, s).(driven)
	good.driver = newOverTCP(t, good.driver.(*hostdriver.Driver))
	run := chaostest.Run(t, s, good)
	ok := okBetween(run, 0, run.Duration)
	require.Greater(t, ok["n1"]+ok["n2"]+ok["n3"], 100)
}

func TestDialNamesAreNotLookedUp(t *testing.T) {
	_, err := chaos.Dial(t.Context(), scenarios.Machine{Name: "n1"}, "tcp", "localhost:80")
	require.ErrorContains(t, err, "localhost")
}
