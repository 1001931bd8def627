package hostapi

import (
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// peerProcess names the process that opened a connection to a unix socket (SO_PEERCRED, unix(7)).
func peerProcess(conn *net.UnixConn) string {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "unknown process"
	}
	var peer *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || peer == nil {
		return "unknown process"
	}
	return "process " + strconv.Itoa(int(peer.Pid))
}
