package hostwatchdog

// DevicePath is the path of a machine's first watchdog on Linux.
const DevicePath = "/dev/watchdog"

// Info describes a watchdog device as far as that is possible without opening it, which would arm
// it.
type Info struct {
	// OK reports whether high availability can rely on it.
	OK bool
	// Detail describes the device, or why there is none.
	Detail string
	// Remedy is what to do about it; "" if nothing has to be done.
	Remedy string
}
