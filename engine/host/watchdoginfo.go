package host

// WatchdogDevice is where Linux has a machine's first watchdog.
const WatchdogDevice = "/dev/watchdog"

// WatchdogInfo is what can be said of a watchdog device without opening it, which would arm it.
type WatchdogInfo struct {
	// OK says that high availability can rest on it.
	OK bool
	// Detail says what is there, or why nothing is.
	Detail string
	// Remedy says what to do about it; empty when it is fine.
	Remedy string
}
