//go:build !linux

package host

// InspectWatchdog says what can be said of a watchdog device.
func InspectWatchdog(string) WatchdogInfo {
	return WatchdogInfo{Detail: "watchdog devices are known on Linux only",
		Remedy: "run nodes with high availability on Linux"}
}
