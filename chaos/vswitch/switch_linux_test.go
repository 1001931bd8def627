package vswitch

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// wires makes pairs of sockets that keep frames apart, as interfaces do: the switch's ends and
// the machines'. It needs no privilege.
func wires(t *testing.T, machines int) (ports []int, ends []*os.File) {
	t.Helper()
	for range machines {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
			0)
		require.NoError(t, err)
		end := os.NewFile(uintptr(pair[1]), "end")
		t.Cleanup(func() { unix.Close(pair[0]); end.Close() })
		ports, ends = append(ports, pair[0]), append(ends, end)
	}
	return ports, ends
}

func receive(t *testing.T, end *os.File, limit time.Duration) (byte, bool) {
	t.Helper()
	require.NoError(t, end.SetReadDeadline(time.Now().Add(limit)))
	b := make([]byte, MaxFrameBytes)
	n, err := end.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, false
	}
	require.NoError(t, err)
	return b[n-1], true
}

func send(t *testing.T, from *os.File, to, self int, content byte) {
	t.Helper()
	_, err := from.Write(ethernet(MachineMAC(to), MachineMAC(self), content))
	require.NoError(t, err)
}

const soon = 10 * time.Second

func TestSwitch(t *testing.T) {
	ports, ends := wires(t, 3)
	s, err := New(ports, fault.NewNet(names, fault.Condition{Latency: 30 * time.Millisecond}), tame)
	require.NoError(t, err)
	begun := time.Now()
	send(t, ends[0], 1, 0, 7)
	content, ok := receive(t, ends[1], soon)
	require.True(t, ok)
	require.EqualValues(t, 7, content)
	require.GreaterOrEqual(t, time.Since(begun), 30*time.Millisecond, "never early")

	cut := &fault.Fault{Kind: fault.Cut, From: []string{"n1"}, To: []string{"n2"}, OneWay: true}
	s.Change(func(n *fault.Net) { n.Begin(cut) })
	send(t, ends[0], 1, 0, 8)
	send(t, ends[1], 0, 1, 9)
	content, ok = receive(t, ends[0], soon)
	require.True(t, ok)
	require.EqualValues(t, 9, content)
	_, ok = receive(t, ends[1], 100*time.Millisecond)
	require.False(t, ok, "cut")
	s.Change(func(n *fault.Net) { n.End(cut) })

	require.NoError(t, ends[2].Close()) // a machine that is gone does not stop the others
	send(t, ends[0], 1, 0, 10)
	content, ok = receive(t, ends[1], soon)
	require.True(t, ok)
	require.EqualValues(t, 10, content)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice does no harm")
	stats := s.Stats()
	require.EqualValues(t, 4, stats.Received)
	require.EqualValues(t, 3, stats.Delivered)
	require.EqualValues(t, 1, stats.Dropped)
}

func BenchmarkSwitch(b *testing.B) {
	t := &testing.T{}
	ports, ends := wires(t, 2)
	s, err := New(ports, fault.NewNet(names[:2], fault.Condition{}), tame)
	require.NoError(b, err)
	defer s.Close()
	frame := ethernet(MachineMAC(1), MachineMAC(0), 1)
	buffer := make([]byte, 2048)
	for b.Loop() {
		if _, err := ends[0].Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := ends[1].Read(buffer); err != nil {
			b.Fatal(err)
		}
	}
}
