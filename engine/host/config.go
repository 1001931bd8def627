package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// Config describes one machine and its processes.
type Config struct {
	// Machine and Name identify this machine.
	Machine env.MachineID
	Name    string

	// Dir is the machine's directory. The disk that processes see is its subdirectory "disk";
	// the host keeps its own small state beside it.
	Dir string

	// Links are the networks, by [env.LinkID]. There may be none.
	Links []Link

	// Processes are started in this order.
	Processes []Process

	// APISocket is the path of the unix socket for clients, which only the user of this program can open.
	// Remote serves the API over TCP. Either may be empty.
	APISocket string
	Remote    hostapi.Remote

	// ControlSocket is the path of the unix socket for the fault hooks; empty for none.
	ControlSocket string

	// RecordFile is where emitted records are appended; empty to drop them.
	RecordFile string

	// Watchdog is the path of the machine's watchdog: a device such as /dev/watchdog, or the unix
	// socket of a supervisor outside of the machine that resets it. Empty for none, hostwatchdog.None
	// for one that resets nothing.
	Watchdog string

	// Timescale is what the host reports as the ratio of its processes' timers, such as "1/20"; "" is 1.
	// The host itself does not use it.
	Timescale string
	// Nodes are the names of all configured machines, which the host only reports.
	Nodes []string

	// BootID names this power-up of the machine. Empty takes the kernel's, where there is one.
	// A change counts as a reboot.
	BootID string

	// Ready reports whether the machine serves its clients; nil: while all processes run.
	Ready func(ctx context.Context, h *Host) hostapi.Readiness
	// Metrics makes the handler of hostapi.PathMetrics; nil: there are no metrics.
	Metrics func(h *Host) (http.Handler, error)

	// Log receives the log, nil for none; LogLevel is the least level that is written. LogJSON writes each
	// line as a JSON object.
	Log      io.Writer
	LogLevel slog.Level
	LogJSON  bool
}

// Link is one network: for each machine, by [env.MachineID], its address and the first of the ports that
// its processes use there.
type Link struct {
	Peers []netip.AddrPort
}

// LinkOf returns the link on which every machine uses the same ports.
func LinkOf(addrs []netip.Addr, basePort uint16) Link {
	var l Link
	for _, a := range addrs {
		l.Peers = append(l.Peers, netip.AddrPortFrom(a, basePort))
	}
	return l
}

// LinkPortStep is the distance between the base ports of two links that use the same addresses.
const LinkPortStep = 100

// Process is one process of the machine.
type Process struct {
	Name string
	// New creates the process for each start.
	New func() env.Process
	// Restart is how long to wait before starting the process again after it ended by itself;
	// 0 leaves it down.
	Restart time.Duration
	// API is what the process declares about the operations of its clients.
	API hostapi.ProcessAPI
	// Port is added to a link's base port; 0 stands for the position in Config.Processes.
	// A process must have the same one on all machines.
	Port uint16
}

// Limits of a host. What does not fit is dropped (datagrams) or refused (everything else).
const (
	// MaxProcesses bounds the processes of one machine, so that the ports of two links that are
	// LinkPortStep apart cannot meet.
	MaxProcesses = LinkPortStep

	maxQueuedDatagrams     = 4096
	maxQueuedDatagramBytes = 16 << 20
	maxQueuedLocals        = 4096 // from one sender
	maxQueuedLocalBytes    = 64 << 20
	maxAbandonedOps        = 1 << 16

	maxPort = 1<<16 - 1
)

// Operations of one process that are queued, and that are accepted and not answered. All that the listeners
// let in at a time fit, and so do those of this program itself: an operation is refused at the door or never.
var (
	maxQueuedOps  = 2 * hostapi.MaxOperations
	maxPendingOps = 2 * hostapi.MaxOperations
)

// ErrConfig is wrapped by every error about a configuration.
var ErrConfig = errors.New("bad host configuration")

func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Name == "":
		return bad("the machine has no name")
	case c.Dir == "":
		return bad("no directory is given for the machine's files")
	case len(c.Processes) == 0:
		return bad("there is no process to run")
	case len(c.Processes) > MaxProcesses:
		return bad("%d processes are more than %d", len(c.Processes), MaxProcesses)
	}
	for i, l := range c.Links {
		if int(c.Machine) < 0 || int(c.Machine) >= len(l.Peers) {
			return bad("link %d has addresses for %d machines, none for machine %d",
				i, len(l.Peers), c.Machine)
		}
		for m, at := range l.Peers {
			if !at.IsValid() || int(at.Port())+MaxProcesses > maxPort {
				return bad("link %d, machine %d: %v is no address with room for %d ports above it",
					i, m, at, MaxProcesses)
			}
			if at.Addr().Unmap().Is4() != l.Peers[0].Addr().Unmap().Is4() {
				return bad("link %d mixes IPv4 and IPv6: %v and %v", i, l.Peers[0], at)
			}
		}
	}
	names, ports := map[string]bool{}, map[uint16]string{}
	for i := range c.Processes {
		p := &c.Processes[i]
		if p.Name == "" || p.New == nil {
			return bad("process %d has no name or nothing that makes it", i)
		}
		if names[p.Name] {
			return bad("two processes are called %q", p.Name)
		}
		names[p.Name] = true
		if p.Port >= MaxProcesses {
			return bad("the port offset %d of %q is not below %d", p.Port, p.Name, MaxProcesses)
		}
		if p.Port == 0 {
			p.Port = uint16(i)
		}
		if other, taken := ports[p.Port]; taken {
			return bad("%q and %q have the same port %d", other, p.Name, p.Port)
		}
		ports[p.Port] = p.Name
	}
	return nil
}
