package host

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawSender calls the kernel with MSG_DONTWAIT: where a full send buffer would make the caller
// wait, the datagram is lost instead.
type rawSender struct {
	rawConn syscall.RawConn
	peers   []unix.Sockaddr
}

func newSender(conn *net.UDPConn, peers []netip.AddrPort) (datagramSender, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &rawSender{rawConn: raw}
	v4 := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().Is4()
	for _, p := range peers {
		if v4 {
			s.peers = append(s.peers, &unix.SockaddrInet4{Port: int(p.Port()), Addr: p.Addr().As4()})
			continue
		}
		s.peers = append(s.peers, &unix.SockaddrInet6{Port: int(p.Port()), Addr: p.Addr().As16()})
	}
	return s, nil
}

func (s *rawSender) sendTo(to int, payload []byte) error {
	var sent error
	err := s.rawConn.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), payload, unix.MSG_DONTWAIT, s.peers[to])
		return true
	})
	if err != nil {
		return err
	}
	return sent
}
