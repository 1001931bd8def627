package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// InspectWatchdog says what can be said of a watchdog device.
func InspectWatchdog(path string) WatchdogInfo {
	return inspectWatchdog(path, linuxWatchdogs{}, softdog("/lib/modules", release()))
}

func inspectWatchdog(path string, kernel watchdogKernel, softdog string) WatchdogInfo {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return WatchdogInfo{Detail: fmt.Sprintf("there is no %s", path), Remedy: softdog +
			"; without a device run holdfastd -supervise"}
	case err != nil:
		return WatchdogInfo{Detail: err.Error(), Remedy: softdog}
	case info.Mode()&os.ModeCharDevice == 0:
		return WatchdogInfo{Detail: path + " is no device", Remedy: "remove it, then " + softdog}
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return WatchdogInfo{Detail: fmt.Sprintf("%s is there and may not be written: %v", path, err), Remedy: "run as root"}
	}
	said := []string{path + " is there"}
	for _, about := range []struct{ name, words string }{{"identity", "it is %s"}, {"state", "%s"}, {"timeout", "set to %s s"}} {
		if value := kernel.Attribute(path, about.name); value != "" {
			said = append(said, fmt.Sprintf(about.words, value))
		}
	}
	out := WatchdogInfo{OK: true}
	if kernel.Attribute(path, "nowayout") == "1" {
		said = append(said, "without a way out: once armed, the end of the program that pets it resets the machine")
	}
	if kernel.Attribute(path, "state") == "active" {
		out.OK, out.Remedy = false, "another program has armed it: a running holdfastd, systemd (RuntimeWatchdogSec) or another "+
			"cluster's watchdog-mux; only one can have it"
	}
	out.Detail = strings.Join(said, ", ")
	return out
}

// release is the running kernel's.
func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// softdog says how to get the kernel's software watchdog.
func softdog(modules, release string) string {
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		data, err := os.ReadFile(filepath.Join(modules, release, list))
		if err == nil && strings.Contains(string(data), "/softdog.ko") {
			return "load the software watchdog: modprobe softdog"
		}
	}
	return "this kernel has no module softdog here; use the machine's own watchdog driver, or a kernel with CONFIG_SOFT_WATCHDOG"
}
