package hostwatchdog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Inspect describes a watchdog device without opening it.
func Inspect(path string) Info {
	return inspect(path, linuxDevices{}, softdog("/lib/modules", release()))
}

// inspect describes a device of a kernel. softdog is how to get the kernel's software watchdog.
func inspect(path string, kernel deviceKernel, softdog string) Info {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Info{Detail: fmt.Sprintf("there is no %s", path), Remedy: softdog +
			"; without a device run holdfastd --supervise"}
	case err != nil:
		return Info{Detail: err.Error(), Remedy: softdog}
	case info.Mode()&os.ModeCharDevice == 0:
		return Info{Detail: path + " is no device", Remedy: "remove it, then " + softdog}
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return Info{Detail: fmt.Sprintf("%s is there and may not be written: %v", path, err),
			Remedy: "run as root"}
	}
	details := []string{path + " is there"}
	for _, attribute := range []struct{ name, format string }{
		{"identity", "it is %s"}, {"state", "%s"}, {"timeout", "set to %s s"},
	} {
		if value := kernel.Attribute(path, attribute.name); value != "" {
			details = append(details, fmt.Sprintf(attribute.format, value))
		}
	}
	out := Info{OK: true}
	if kernel.Attribute(path, "nowayout") == "1" {
		details = append(details, "without a way out: once armed, the end of the program that pets it "+
			"resets the machine")
	}
	if kernel.Attribute(path, "state") == "active" {
		out.OK = false
		out.Remedy = "another program has armed it: a running holdfastd, systemd (RuntimeWatchdogSec) or " +
			"another cluster's watchdog-mux; only one can have it"
	}
	out.Detail = strings.Join(details, ", ")
	return out
}

// release returns the release of the running kernel.
func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// softdog returns how to get the kernel's software watchdog.
func softdog(modules, release string) string {
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		data, err := os.ReadFile(filepath.Join(modules, release, list))
		if err == nil && strings.Contains(string(data), "/softdog.ko") {
			return "load the software watchdog: modprobe softdog"
		}
	}
	return "this kernel has no module softdog here; use the machine's own watchdog driver, or a kernel " +
		"with CONFIG_SOFT_WATCHDOG"
}
