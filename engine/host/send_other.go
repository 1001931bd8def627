//go:build !linux

package host

import (
	"net"
	"net/netip"
)

// connSender uses the portable call. UDP sockets with a large buffer do not make callers wait in
// practice.
type connSender struct {
	conn  *net.UDPConn
	peers []netip.AddrPort
}

func newSender(conn *net.UDPConn, peers []netip.AddrPort) (datagramSender, error) {
	return &connSender{conn: conn, peers: peers}, nil
}

func (s *connSender) sendTo(to int, payload []byte) error {
	_, err := s.conn.WriteToUDPAddrPort(payload, s.peers[to])
	return err
}
