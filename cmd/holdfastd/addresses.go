package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/host"
)

const corosyncPort = 5405

// lookupTimeout bounds the look-up of all names of a file.
const lookupTimeout = 15 * time.Second

// lookup finds the addresses of a host name.
type lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// systemLookup asks the system, so /etc/hosts counts.
func systemLookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// linksOf takes the first link's addresses from the nodelist. Host names are looked up once: a node that gets
// another address needs a restart of all nodes, as in Corosync. It returns a line for each name.
func linksOf(file *host.MachineFile, conf *corosync.Config, find lookup) (found []string, err error) {
	timers, err := corosync.DeriveTimers(conf)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	link := host.LinkFile{Port: corosyncPort}
	if len(timers.Links) > 0 {
		link.Port = timers.Links[0].Port
	}
	for i, n := range conf.Nodes {
		addr, err := netip.ParseAddr(n.Addrs[0])
		if err != nil {
			if addr, err = addressOf(ctx, n.Addrs[0], conf.Totem.IPVersion, find); err != nil {
				return nil, fmt.Errorf("%s: ring0_addr of node %d (%s) is %q: %w", conf.File, i+1, n.Name,
					n.Addrs[0], err)
			}
			found = append(found, fmt.Sprintf("%s: ring0_addr %s of node %s is %v", conf.File, n.Addrs[0],
				n.Name, addr))
		}
		link.Addrs = append(link.Addrs, addr)
	}
	file.Links = []host.LinkFile{link}
	return found, checkAddresses(conf, link.Addrs)
}

const addressRemedy = "add it to /etc/hosts, or write an IP address"

// addressOf looks a name up and chooses an address as totem.ip_version demands; the default is IPv6 before
// IPv4.
func addressOf(ctx context.Context, name, version string, find lookup) (netip.Addr, error) {
	addrs, err := find(ctx, name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return netip.Addr{}, errors.New("the name is unknown here; " + addressRemedy)
	case err != nil:
		return netip.Addr{}, fmt.Errorf("looking up the name: %w; %s", err, addressRemedy)
	}
	var v4, v6 netip.Addr
	for _, a := range addrs {
		switch a = a.Unmap(); {
		case a.Is4() && !v4.IsValid():
			v4 = a
		case a.Is6() && !v6.IsValid() && !a.IsLinkLocalUnicast():
			v6 = a
		}
	}
	first, second := v6, v4
	switch version {
	case "ipv4":
		first, second = v4, netip.Addr{}
	case "ipv6":
		first, second = v6, netip.Addr{}
	case "ipv4-6":
		first, second = v4, v6
	}
	if first.IsValid() {
		return first, nil
	}
	if second.IsValid() {
		return second, nil
	}
	return netip.Addr{}, fmt.Errorf("the name has the addresses %v, and none that totem.ip_version %q allows",
		addrs, version)
}

// checkAddresses compares the addresses of a link after the names were looked up: what the reader checks for
// addresses in the file.
func checkAddresses(conf *corosync.Config, addrs []netip.Addr) error {
	for i, a := range addrs {
		for j, b := range addrs[:i] {
			n, m := conf.Nodes[i], conf.Nodes[j]
			switch {
			case a == b:
				return fmt.Errorf("%s: ring0_addr %s of node %s and %s of node %s are both %v", conf.File,
					n.Addrs[0], n.Name, m.Addrs[0], m.Name, a)
			case a.Is4() != b.Is4():
				return fmt.Errorf("%s: ring0_addr of node %s is %v and that of node %s is %v: use one IP "+
					"version, for example with totem.ip_version", conf.File, n.Name, a, m.Name, b)
			case a.IsLoopback() != b.IsLoopback():
				if b.IsLoopback() {
					n, a = m, b
				}
				return fmt.Errorf("%s: ring0_addr %s of node %s is %v, which no other node reaches: give "+
					"the name its address of this network in /etc/hosts", conf.File, n.Addrs[0], n.Name, a)
			}
		}
	}
	return nil
}
