//go:build unix

package hostdisk

import (
	"errors"
	"syscall"
)

// isNoSpace reports whether the disk, or this user's share of it, is full.
func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
