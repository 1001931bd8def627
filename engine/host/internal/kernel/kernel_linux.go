package kernel

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mono returns the kernel's monotonic clock.
func mono(time.Time) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("kernel: the kernel has no monotonic clock: " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// BootID returns the name of the present power-up of the machine; "" if the kernel gives it none.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
