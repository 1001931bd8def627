//go:build unix

package world_test

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used of all cores: unlike the time on the wall it does not
// depend on what else the machine does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
