//go:build unix

package cputime

import (
	"syscall"
	"time"
)

// Used returns the processor time that this process has used; 0 where it is not known.
func Used() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
