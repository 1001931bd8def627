//go:build !linux

package host

// LookAtWatchdog says what can be said of a watchdog device.
func LookAtWatchdog(string) WatchdogInfo {
	return WatchdogInfo{Detail: "watchdog devices are known on Linux only",
		Remedy: "run nodes with high availability on Linux"}
}
