//go:build !linux

package host

// InspectWatchdog describes a watchdog device without opening it.
func InspectWatchdog(string) WatchdogInfo {
	return WatchdogInfo{Detail: "watchdog devices are known on Linux only",
		Remedy: "run nodes with high availability on Linux"}
}
