//go:build !unix

package hostdisk

import (
	"errors"
	"syscall"
)

// The numbers of the Windows errors "disk full" and "handle disk full".
const (
	errDiskFull       syscall.Errno = 112
	errHandleDiskFull syscall.Errno = 39
)

// isNoSpace reports whether the disk is full.
func isNoSpace(err error) bool {
	return errors.Is(err, errDiskFull) || errors.Is(err, errHandleDiskFull)
}
