//go:build !linux

package hostwatchdog

// Inspect describes a watchdog device without opening it.
func Inspect(string) Info {
	return Info{Detail: "watchdog devices are known on Linux only",
		Remedy: "run nodes with high availability on Linux"}
}
