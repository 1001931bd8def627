package host

// WatchdogDevice is the path of a machine's first watchdog on Linux.
const WatchdogDevice = "/dev/watchdog"

// WatchdogInfo describes a watchdog device as far as that is possible without opening it, which would arm
// it.
type WatchdogInfo struct {
	// OK reports whether high availability can rely on it.
	OK bool
	// Detail describes the device, or why there is none.
	Detail string
	// Remedy is what to do about it; "" if nothing has to be done.
	Remedy string
}
