package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/chaos/chaostest"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
)

// overTCP drives a program that can be reached only on a TCP port of its machine.
type overTCP struct{ *hostdriver.Driver }

const tcpAddress = "127.0.0.1:8600"

func (d overTCP) Files(m scenarios.Machine) ([]scenarios.File, error) {
	files, err := d.Driver.Files(m)
	for i := range files {
		if files[i].Name == hostdriver.MachineFile {
			files[i].Data = bytes.Replace(files[i].Data, []byte("{"), []byte(`{"api_addr": "`+tcpAddress+`",`), 1)
		}
	}
	return files, err
}

func (d overTCP) Dial(_ context.Context, m scenarios.Machine) (scenarios.Conn, error) {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return chaos.Dial(ctx, m, network, tcpAddress)
	}
	return tcpConn{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

type tcpConn struct{ client *http.Client }

func (c tcpConn) Do(ctx context.Context, process string, input []byte) ([]byte, error) {
	url := "http://" + tcpAddress + "/v1/op/" + process
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(input))
	if err != nil {
		return nil, err
	}
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
	good.driver = overTCP{good.driver.(*hostdriver.Driver)}
	run := chaostest.Run(t, s, good)
	ok := okBetween(run, 0, run.Duration)
	require.Greater(t, ok["n1"]+ok["n2"]+ok["n3"], 100)
}

func TestDialNamesAreNotLookedUp(t *testing.T) {
	_, err := chaos.Dial(t.Context(), scenarios.Machine{Name: "n1"}, "tcp", "localhost:80")
	require.ErrorContains(t, err, "localhost")
}
