package chaos

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"github.com/containernetworking/plugins/pkg/ns"

	"github.com/holdfast-sim/holdfast/chaos/lease"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Dial connects to an address as a program in the machine would, for drivers of programs that
// listen on TCP or UDP only. The address is an IP address with a port, for example
// "127.0.0.1:2379"; names are not looked up. The connection is inside of the machine: faults of
// the network between the machines do not touch it.
func Dial(ctx context.Context, m scenarios.Machine, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dialling in %s: %w", m.Name, err)
	}
	run := lease.Lease{ID: filepath.Base(filepath.Dir(m.Dir))}
	path := filepath.Join(lease.NamespaceDir, run.Name(int(m.ID)))
	var conn net.Conn
	err := ns.WithNetNSPath(path, func(ns.NetNS) error {
		// One literal address is dialled on this thread, and a socket stays where it was made.
		var err error
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dialling %s in %s: %w", address, m.Name, err)
	}
	return conn, nil
}
