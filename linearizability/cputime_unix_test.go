//go:build unix

package linearizability_test

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has used, which a busy machine does not stretch as it
// does wall time.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
