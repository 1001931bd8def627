package host

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func kernelMono(time.Time) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("host: the kernel has no monotonic clock: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// kernelBootID names the present power-up of the machine.
func kernelBootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
