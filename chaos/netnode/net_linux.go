package netnode

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/chaos/lease"
	"github.com/holdfast-sim/holdfast/chaos/vswitch"
)

// Interface is the name of a node's interface, inside.
const Interface = "eth0"

const (
	mtuBytes = 1500
	// txQueueFrames is how many frames wait for the switch before the kernel drops them.
	txQueueFrames = 10_000
	prefixBits    = 24
	tunDevice     = "/dev/net/tun"
)

// nodeNetwork is 198.18.0.0/24, of the range reserved for benchmarks (RFC 2544), which no router forwards.
// Every run uses the same addresses, since namespaces do not see each other.
var nodeNetwork = netip.AddrFrom4([4]byte{198, 18, 0, 0})

// Addr is the address of a machine, by its number.
func Addr(machine int) netip.Addr {
	b := nodeNetwork.As4()
	b[3] = byte(machine + 1)
	return netip.AddrFrom4(b)
}

// nsPath is where a named namespace can be opened.
func nsPath(name string) string { return filepath.Join(lease.NamespaceDir, name) }

// openTAP makes the node's interface in the present namespace and returns the switch's end.
func openTAP() (int, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("opening %s: %w", tunDevice, err)
	}
	request, err := unix.NewIfreq(Interface)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("making a TAP interface: %w", err)
	}
	return fd, nil
}

// attachInterface gives a namespace its interface, with the addresses of all machines.
func attachInterface(name string, machine, machines int) (tap int, err error) {
	tap = -1
	err = ns.WithNetNSPath(nsPath(name), func(ns.NetNS) error {
		disableIPv6()
		if tap, err = openTAP(); err != nil {
			return err
		}
		if err := configureInterface(machine, machines); err != nil {
			unix.Close(tap)
			tap = -1
			return err
		}
		return nil
	})
	if err != nil {
		return -1, fmt.Errorf("plugging in %s: %w", name, err)
	}
	return tap, nil
}

// disableIPv6 turns off IPv6, whose autoconfiguration sends frames that no process asked for. It
// does nothing on a kernel without IPv6.
func disableIPv6() {
	for _, which := range []string{"all", "default"} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // a read-only /proc/sys: the additional frames do no harm
		}
	}
}

func configureInterface(machine, machines int) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("switching lo on: %w", err)
	}
	link, err := netlink.LinkByName(Interface)
	if err != nil {
		return fmt.Errorf("finding %s: %w", Interface, err)
	}
	mac := vswitch.MachineMAC(machine)
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: Addr(machine).AsSlice(), Mask: net.CIDRMask(prefixBits, 32)}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"setting the hardware address", func() error { return netlink.LinkSetHardwareAddr(link, mac[:]) }},
		{"setting the MTU", func() error { return netlink.LinkSetMTU(link, mtuBytes) }},
		{"setting the queue length", func() error { return netlink.LinkSetTxQLen(link, txQueueFrames) }},
		{"setting the address", func() error { return netlink.AddrAdd(link, addr) }},
		{"switching it on", func() error { return netlink.LinkSetUp(link) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s of %s: %w", step.what, Interface, err)
		}
	}
	return addNeighbours(link, machine, machines)
}

// addNeighbours sets the hardware address of every other machine. So no machine sends ARP requests,
// and faults hit only the subject's traffic.
func addNeighbours(link netlink.Link, machine, machines int) error {
	for other := range machines {
		if other == machine {
			continue
		}
		mac := vswitch.MachineMAC(other)
		err := netlink.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			Family: netlink.FAMILY_V4, IP: Addr(other).AsSlice(), HardwareAddr: mac[:]})
		if err != nil {
			return fmt.Errorf("adding the neighbour %v: %w", Addr(other), err)
		}
	}
	return nil
}

// txDropped is how many frames the kernel has dropped on their way to the switch.
func txDropped(name string) (uint64, error) {
	var dropped uint64
	err := ns.WithNetNSPath(nsPath(name), func(ns.NetNS) error {
		link, err := netlink.LinkByName(Interface)
		if err != nil {
			return err
		}
		if stats := link.Attrs().Statistics; stats != nil {
			dropped = stats.TxDropped
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("reading the counters of %s: %w", strings.TrimSpace(name), err)
	}
	return dropped, nil
}
