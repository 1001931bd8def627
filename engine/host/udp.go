package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// socketBufferBytes is the buffer size that a socket requests from the kernel in each direction, so that
// a loop that is late loses little.
const socketBufferBytes = 4 << 20

// socket is one process's socket on one link.
type socket struct {
	link            env.LinkID
	conn            *net.UDPConn
	peers           []netip.AddrPort // by machine
	machineBySource map[netip.AddrPort]env.MachineID
	sender          datagramSender
	stats           *netStats
}

// netStats count the datagrams of one process.
type netStats struct {
	received, sent           atomic.Uint64
	unknownSource, overflows atomic.Uint64
	sendErrors               atomic.Uint64
	strangers                strangers // the sources behind unknownSource
}

func openSocket(l Link, id env.LinkID, self env.MachineID, port uint16, stats *netStats) (*socket, error) {
	s := &socket{link: id, machineBySource: map[netip.AddrPort]env.MachineID{}, stats: stats}
	for m, base := range l.Peers {
		at := netip.AddrPortFrom(base.Addr().Unmap(), base.Port()+port)
		if other, twice := s.machineBySource[at]; twice {
			return nil, fmt.Errorf("%w: machines %d and %d have the same address %v on link %d",
				ErrConfig, other, m, at, id)
		}
		s.peers = append(s.peers, at)
		s.machineBySource[at] = env.MachineID(m)
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.peers[self]))
	if err != nil {
		return nil, fmt.Errorf("listening on link %d: %w; is another program using the port?", id, err)
	}
	// A smaller buffer than requested is no reason not to run.
	_ = conn.SetReadBuffer(socketBufferBytes)
	_ = conn.SetWriteBuffer(socketBufferBytes)
	s.conn = conn
	if s.sender, err = newSender(conn, s.peers); err != nil {
		conn.Close()
		return nil, fmt.Errorf("preparing link %d: %w", id, err)
	}
	return s, nil
}

// receiveInto passes datagrams to the inbox until the socket is closed.
func (s *socket) receiveInto(b *inbox, c *clock) {
	buffer := make([]byte, env.MaxDatagramBytes+1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP answer to an earlier datagram
		}
		machine, known := s.machineBySource[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
		if !known {
			s.stats.strangers.countDatagram(from.Addr().Unmap())
			s.stats.unknownSource.Add(1)
			continue
		}
		payload := append([]byte(nil), buffer[:n]...)
		it := inboxItem{class: classDatagram, bytes: n, arrivedAt: c.monotonic(),
			event: env.Received{From: machine, Link: s.link, Payload: payload}}
		switch err := b.putItem(it); {
		case err == nil:
			s.stats.received.Add(1)
		case errors.Is(err, env.ErrLocalFull):
			s.stats.overflows.Add(1)
		}
	}
}

// sendTo passes a datagram to the kernel.
func (s *socket) sendTo(to env.MachineID, payload []byte) {
	if to < 0 || int(to) >= len(s.peers) {
		s.stats.sendErrors.Add(1)
		return
	}
	if err := s.sender.sendTo(int(to), payload); err != nil {
		s.stats.sendErrors.Add(1)
		return
	}
	s.stats.sent.Add(1)
}

// datagramSender sends without waiting for the kernel.
type datagramSender interface {
	sendTo(to int, payload []byte) error
}
