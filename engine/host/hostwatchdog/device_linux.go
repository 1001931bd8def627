package hostwatchdog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
)

// A watchdog of the Linux kernel (watchdog-api): opening arms it, every write pets it, and closing
// it after a write of the letter V disarms it, unless it was built or loaded without a way out.

// deviceFile is an open watchdog device.
type deviceFile interface {
	Write(p []byte) (int, error)
	Close() error
	// SetTimeout and Timeout are in the kernel's whole seconds.
	SetTimeout(seconds int) error
	Timeout() (int, error)
}

// deviceKernel is the part of the kernel that a watchdog device needs.
type deviceKernel interface {
	Open(path string) (deviceFile, error)
	// Attribute returns an attribute of a device from sysfs; "" if the kernel does not have it.
	Attribute(path, name string) string
	BootID() string
}

// device is a watchdog device of the kernel.
type device struct {
	path            string
	armedMarkerPath string // remembers over a restart of this program that it is armed
	kernelAPI       deviceKernel

	mu       sync.Mutex
	openFile deviceFile
	// stuckReason is why the device, once opened, is unusable and cannot be closed: it is petted on, so that
	// the mistake does not reset the machine.
	stuckReason error
}

// markerFile is in the machine's directory while the watchdog is armed. It holds the boot id, so a reset
// makes it void.
const markerFile = "watchdog.armed"

// openDevice returns the watchdog of a device without opening it, which would arm it. It fails with
// ErrUnusable if the device may not be written.
func openDevice(path, dir string) (env.Watchdog, error) {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return nil, fmt.Errorf("%w: %s may not be written: %w; run as root", ErrUnusable, path, err)
	}
	return &device{path: path, armedMarkerPath: filepath.Join(dir, markerFile), kernelAPI: linuxDevices{}},
		nil
}

// magicCloseByte is what must be written last for closing to disarm the device ("magic close" in the kernel's
// watchdog-api).
var magicCloseByte = []byte("V")

// Arm implements env.Watchdog. The kernel counts in whole seconds: the timeout is rounded down, so that
// the reset never comes later than requested.
func (d *device) Arm(timeout time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	seconds := int(timeout / time.Second)
	switch {
	case d.stuckReason != nil:
		return d.stuckReason
	case seconds < 1:
		return fmt.Errorf("%w: %s cannot count less than a second", ErrWatchdog, d.path)
	}
	if d.openFile == nil {
		if err := d.openAndArm(); err != nil {
			return err
		}
	}
	if err := d.setTimeout(seconds); err != nil {
		return errors.Join(err, d.keepPetting(err))
	}
	return nil
}

// openAndArm opens the device, which arms it. The marker is written before, so that a program that dies in
// between finds a device that may be armed.
func (d *device) openAndArm() error {
	if err := os.WriteFile(d.armedMarkerPath, []byte(d.kernelAPI.BootID()), 0o600); err != nil {
		return fmt.Errorf("%w: noting that %s is armed: %w", ErrWatchdog, d.path, err)
	}
	f, err := d.kernelAPI.Open(d.path)
	if err == nil {
		d.openFile = f
		return nil
	}
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%w: another program has it, perhaps systemd (RuntimeWatchdogSec) or another "+
			"cluster's watchdog-mux", err)
	}
	return errors.Join(fmt.Errorf("%w: opening %s: %w", ErrWatchdog, d.path, err),
		os.Remove(d.armedMarkerPath))
}

// setTimeout sets the countdown. Drivers round to a timeout that they support; a longer one than
// requested is refused, because it would use up the safety margin.
func (d *device) setTimeout(seconds int) error {
	if err := d.openFile.SetTimeout(seconds); err != nil {
		return fmt.Errorf("%w: setting the time of %s to %d s: %w", ErrWatchdog, d.path, seconds, err)
	}
	got, err := d.openFile.Timeout()
	if err != nil {
		return fmt.Errorf("%w: asking %s for its time: %w", ErrWatchdog, d.path, err)
	}
	if got < 1 || got > seconds {
		return fmt.Errorf("%w: %s took %d s instead of %d s", ErrWatchdog, d.path, got, seconds)
	}
	_, err = d.openFile.Write([]byte{0}) // the countdown begins anew with the new time
	if err != nil {
		return fmt.Errorf("%w: petting %s: %w", ErrWatchdog, d.path, err)
	}
	return nil
}

// stuckPetInterval is the interval of the pets of a device that is unusable and cannot be closed.
const stuckPetInterval = time.Second

// keepPetting closes an unusable device, or keeps petting it if it cannot be closed.
func (d *device) keepPetting(why error) error {
	err := d.closeFile()
	if !errors.Is(err, env.ErrWatchdogStays) {
		return err
	}
	d.stuckReason = why
	file := d.openFile
	go func() {
		for ; ; time.Sleep(stuckPetInterval) {
			if _, err := file.Write([]byte{0}); err != nil {
				return
			}
		}
	}()
	return err
}

// Pet implements env.Watchdog.
func (d *device) Pet() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.openFile != nil && d.stuckReason == nil {
		_, _ = d.openFile.Write([]byte{0}) // what was not petted resets the machine
	}
}

// Disarm implements env.Watchdog.
func (d *device) Disarm() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.openFile == nil || d.stuckReason != nil {
		return nil
	}
	return d.closeFile()
}

// closeFile disarms the device. A device without a way out stays open, because only the program that has it
// open can pet it.
func (d *device) closeFile() error {
	if d.kernelAPI.Attribute(d.path, "nowayout") == "1" {
		return fmt.Errorf("%w: %s has no way out", env.ErrWatchdogStays, d.path)
	}
	if _, err := d.openFile.Write(magicCloseByte); err != nil {
		return fmt.Errorf("%w: %w", ErrWatchdog, err)
	}
	err := d.openFile.Close()
	d.openFile = nil
	if err != nil {
		return fmt.Errorf("%w: closing %s: %w", ErrWatchdog, d.path, err)
	}
	if d.kernelAPI.Attribute(d.path, "state") != "active" {
		if err := os.Remove(d.armedMarkerPath); err != nil {
			return fmt.Errorf("%w: noting that %s is disarmed: %w", ErrWatchdog, d.path, err)
		}
		return nil
	}
	// It did not let itself be stopped, and counts down while it is closed.
	f, err := d.kernelAPI.Open(d.path)
	if err != nil {
		return fmt.Errorf("%w: opening %s again: %w", ErrWatchdog, d.path, err)
	}
	d.openFile = f
	if _, err := f.Write([]byte{0}); err != nil {
		return fmt.Errorf("%w: petting %s: %w", ErrWatchdog, d.path, err)
	}
	return fmt.Errorf("%w: %s went on after it was closed", env.ErrWatchdogStays, d.path)
}

// Armed implements env.Watchdog. A device that this program does not have open is armed if the kernel
// reports so, or if an earlier incarnation of the program has armed it in this boot.
func (d *device) Armed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stuckReason != nil:
		return false // it is unusable: Arm returns why
	case d.openFile != nil:
		return true
	case d.kernelAPI.Attribute(d.path, "state") == "active":
		return true
	}
	data, err := os.ReadFile(d.armedMarkerPath)
	return err == nil && string(data) == d.kernelAPI.BootID()
}

// linuxDevices is the kernel.
type linuxDevices struct{}

// BootID implements deviceKernel.
func (linuxDevices) BootID() string { return kernel.BootID() }

// Attribute implements deviceKernel, for kernels with CONFIG_WATCHDOG_SYSFS.
func (linuxDevices) Attribute(path, name string) string {
	device := filepath.Base(path)
	if device == "watchdog" {
		device = "watchdog0" // the same device under its old name
	}
	data, err := os.ReadFile(filepath.Join("/sys/class/watchdog", device, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Open implements deviceKernel.
func (linuxDevices) Open(path string) (deviceFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return linuxFile{f}, nil
}

// linuxFile is an open device of the kernel.
type linuxFile struct{ *os.File }

// SetTimeout implements deviceFile.
func (f linuxFile) SetTimeout(seconds int) error {
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, seconds)
}

// Timeout implements deviceFile.
func (f linuxFile) Timeout() (int, error) {
	return unix.IoctlGetInt(int(f.Fd()), unix.WDIOC_GETTIMEOUT)
}
