package nodemain

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host"
)

// signaller sends its own operating-system process a signal when it starts.
type signaller struct{}

func (signaller) Start(env.Env) error { return syscall.Kill(os.Getpid(), syscall.SIGTERM) }
func (signaller) Step(env.Event)      {}

// TestASignalEndsTheProcessesInOrder: first the endings, then the host, with exit code 0.
func TestASignalEndsTheProcessesInOrder(t *testing.T) {
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.LocalAddr().(*net.UDPAddr).Port
	require.NoError(t, free.Close())
	path := machineFile(t, fmt.Sprintf(`{"machine": 0, "name": "n1", "links": [{"addrs": ["127.0.0.1"], "port": %d}]}`, port))
	ended := 0
	var out bytes.Buffer
	code := Main("thingd", "", []string{path}, &out,
		func(Machine) ([]host.Process, error) {
			return []host.Process{{Name: "signaller", New: func() env.Process { return signaller{} }}}, nil
		},
		func(_ context.Context, h *host.Host) {
			require.Len(t, h.Health().Processes, 1, "the host still runs")
			ended++
		})
	require.Equal(t, ExitOK, code, &out)
	require.Equal(t, 1, ended)
}

// TestDescendants finds a child of a child, and none when both have ended.
func TestDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sleep 60 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var grandchild int
	_, err = fmt.Fscan(out, &grandchild)
	require.NoError(t, err)
	found, err := descendants(cmd.Process.Pid)
	require.NoError(t, err)
	require.Equal(t, []int{grandchild}, found)
	parent, ok := parentOf(grandchild)
	require.True(t, ok)
	require.Equal(t, cmd.Process.Pid, parent)
	require.NoError(t, syscall.Kill(grandchild, syscall.SIGKILL))
	_ = cmd.Wait() // the shell reports how its child ended
	found, err = descendants(cmd.Process.Pid)
	require.NoError(t, err)
	require.Empty(t, found)
	_, ok = parentOf(1 << 30)
	require.False(t, ok)
}

func TestRunMachineWantsASocketAndAFile(t *testing.T) {
	code, err := RunMachine([]string{"socket"})
	require.Equal(t, ExitUsage, code)
	require.ErrorIs(t, err, errSupervise)
}
