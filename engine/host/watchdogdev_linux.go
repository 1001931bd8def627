package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// device is a watchdog of the Linux kernel (watchdog-api): opening arms it, every write pets it,
// and closing it after a write of the letter V disarms it where the driver allows that.
type device struct {
	path string
	mu   sync.Mutex
	file *os.File
}

func openDevice(path string) (env.Watchdog, error) { return &device{path: path}, nil }

// Arm implements env.Watchdog. The kernel counts in whole seconds: the time is rounded down, so
// that the reset never comes later than was asked for.
func (d *device) Arm(timeout time.Duration) error {
	seconds := int(timeout / time.Second)
	if seconds < 1 {
		return fmt.Errorf("%w: %s cannot count less than a second", ErrWatchdog, d.path)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		f, err := os.OpenFile(d.path, os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrWatchdog, err)
		}
		d.file = f
	}
	fd := int(d.file.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, seconds); err != nil {
		return fmt.Errorf("%w: setting the time of %s to %d s: %w", ErrWatchdog, d.path, seconds, err)
	}
	// Drivers take the nearest time that they can. A longer one would eat the safety margin.
	got, err := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT)
	if err != nil || got > seconds {
		return fmt.Errorf("%w: %s took %d s instead of %d s (%v)", ErrWatchdog, d.path, got, seconds, err)
	}
	return nil
}

// Pet implements env.Watchdog.
func (d *device) Pet() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		_, _ = d.file.Write([]byte{0}) // what was not petted resets the machine
	}
}

// Disarm implements env.Watchdog.
func (d *device) Disarm() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	if _, err := d.file.Write([]byte("V")); err != nil {
		return fmt.Errorf("%w: %w", ErrWatchdog, err)
	}
	err := d.file.Close()
	d.file = nil
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWatchdog, err)
	}
	if d.state() == "active" {
		return env.ErrWatchdogStays
	}
	return nil
}

// Armed implements env.Watchdog.
func (d *device) Armed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file != nil || d.state() == "active"
}

// state is what the kernel says of a device that this program does not hold open.
func (d *device) state() string {
	name := filepath.Base(d.path)
	if name == "watchdog" {
		name = "watchdog0" // the same device under its old name
	}
	data, err := os.ReadFile(filepath.Join("/sys/class/watchdog", name, "state"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
