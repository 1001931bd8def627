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
	"github.com/holdfast-sim/holdfast/engine/initd"
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
	path := machineFile(t,
		fmt.Sprintf(`{"machine": 0, "name": "n1", "links": [{"addrs": ["127.0.0.1"], "port": %d}]}`, port))
	ended := 0
	var out bytes.Buffer
	code := Main("thingd", "", []string{path}, &out,
		func(Machine) ([]host.Process, error) {
			return []host.Process{{Name: "signaller", New: func() env.Process { return signaller{} }}}, nil
		},
		EndWith(func(_ context.Context, h *host.Host) {
			require.Len(t, h.Health().Processes, 1, "the host still runs")
			ended++
		}))
	require.Equal(t, ExitOK, code, &out)
	require.Equal(t, 1, ended)
}

// down is an init process that switches the machine off when it is asked to.
type down struct{ e env.Env }

func (d *down) Start(e env.Env) error {
	d.e = e
	return syscall.Kill(os.Getpid(), syscall.SIGPWR)
}

func (d *down) Step(ev env.Event) {
	if op, ok := ev.(env.Invoked); ok {
		d.e.Complete(op.Op, []byte("{}"))
		_ = d.e.(env.MachineHost).Machine().PowerOff(false)
	}
}

// TestThePowerSupplyShutsTheMachineDown: its signal reaches the init process without the API; a machine
// without one ends as after SIGTERM.
func TestThePowerSupplyShutsTheMachineDown(t *testing.T) {
	path := machineFile(t, `{"machine": 0, "name": "n1"}`)
	for name, ended := range map[string]int{initd.Process: 0, "other": 1} {
		t.Run(name, func(t *testing.T) {
			count := 0
			var out bytes.Buffer
			code := Main("thingd", "", []string{path}, &out, func(Machine) ([]host.Process, error) {
				return []host.Process{{Name: name, New: func() env.Process { return &down{} }}}, nil
			}, EndWith(func(context.Context, *host.Host) { count++ }))
			require.Equal(t, ExitOK, code, &out)
			require.Equal(t, ended, count)
		})
	}
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
