package hostwatchdog

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// fakeDog is a kernel with one watchdog, after watchdog-api. Time passes only in pass.
type fakeDog struct {
	mu       sync.Mutex
	boot     string
	open     bool
	active   bool
	magic    bool // the last write ended with V
	timeout  int
	left     int
	pets     int
	nowayout bool // no way out, and the kernel says so
	stays    bool // no way out, and the kernel does not say so
	noSysfs  bool
	busy     bool
	coarse   int   // the least time that the driver can, 0: any
	setFails error // of setting the time
}

func (f *fakeDog) Open(string) (deviceFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || f.open {
		return nil, unix.EBUSY
	}
	if !f.active {
		f.timeout = 60
	}
	f.open, f.active, f.magic, f.left = true, true, false, f.timeout
	return f, nil
}

func (f *fakeDog) Attribute(_, name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.noSysfs:
		return ""
	case name == "nowayout" && f.nowayout:
		return "1"
	case name == "nowayout":
		return "0"
	case name == "state" && f.active:
		return "active"
	}
	return "inactive"
}

func (f *fakeDog) BootID() string { return f.boot }

func (f *fakeDog) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.magic = f.timeout, p[len(p)-1] == 'V'
	f.pets++
	return len(p), nil
}

func (f *fakeDog) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = false
	if f.magic && !f.nowayout && !f.stays {
		f.active = false
	}
	return nil
}

func (f *fakeDog) SetTimeout(seconds int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.setFails == nil {
		f.timeout = max(seconds, f.coarse)
	}
	return f.setFails
}

func (f *fakeDog) Timeout() (int, error) { return f.timeout, nil }

// pass lets seconds pass and reports whether the machine has been reset.
func (f *fakeDog) pass(seconds int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left -= seconds
	return f.active && f.left <= 0
}

func fakeDevice(t *testing.T, f *fakeDog) *device {
	f.boot = "boot-1"
	return &device{path: "/dev/watchdog", armedMarkerPath: filepath.Join(t.TempDir(), markerFile),
		kernelAPI: f}
}

func TestDeviceResetsUnlessPettedAndLetsItselfBeClosed(t *testing.T) {
	f := &fakeDog{}
	d := fakeDevice(t, f)
	require.False(t, d.Armed())
	require.Error(t, d.Arm(900*time.Millisecond), "the kernel counts whole seconds")
	require.False(t, f.active)
	require.NoError(t, d.Arm(10900*time.Millisecond))
	require.True(t, d.Armed())
	require.Equal(t, 10, f.timeout, "rounded down: the reset never comes late")
	require.False(t, f.pass(9))
	d.Pet()
	require.False(t, f.pass(9))
	require.NoError(t, d.Arm(5*time.Second), "another time, from now on")
	require.False(t, f.pass(4))
	require.NoError(t, d.Disarm())
	require.False(t, d.Armed())
	require.False(t, f.pass(1000))
	require.NoFileExists(t, d.armedMarkerPath)
	require.NoError(t, d.Disarm(), "it is disarmed already")
	require.NoError(t, d.Arm(10*time.Second))
	require.True(t, f.pass(10))
}

// TestAKilledProgramLeavesItsDeviceArmed checks that the program that starts after it does not pet it,
// whether or not the kernel reports that it counts.
func TestAKilledProgramLeavesItsDeviceArmed(t *testing.T) {
	for _, noSysfs := range []bool{false, true} {
		f := &fakeDog{noSysfs: noSysfs}
		d := fakeDevice(t, f)
		require.NoError(t, d.Arm(10*time.Second))
		require.NoError(t, d.openFile.Close()) // as the kernel does for a program that is killed
		again := &device{path: d.path, armedMarkerPath: d.armedMarkerPath, kernelAPI: f}
		require.True(t, again.Armed())
		again.Pet()
		require.True(t, f.pass(10))
		f.active, f.boot = false, "boot-2"
		require.False(t, again.Armed(), "a reset machine begins with it disarmed")
	}
}

func TestDeviceWithoutAWayOutStaysOpenAndIsPetted(t *testing.T) {
	for name, f := range map[string]*fakeDog{"said": {nowayout: true}, "not said": {stays: true}} {
		t.Run(name, func(t *testing.T) {
			d := fakeDevice(t, f)
			require.NoError(t, d.Arm(10*time.Second))
			require.ErrorIs(t, d.Disarm(), env.ErrWatchdogStays)
			require.True(t, d.Armed())
			require.True(t, f.open, "only the program that has it open can pet it")
			require.False(t, f.pass(9))
			d.Pet()
			require.False(t, f.pass(9))
			d.Pet()
			require.NoError(t, d.Arm(10*time.Second))
			require.True(t, f.pass(10))
		})
	}
}

// TestDeviceOfNoUseIsRefused and leaves the machine alone.
func TestDeviceOfNoUseIsRefused(t *testing.T) {
	for name, f := range map[string]*fakeDog{
		"time cannot be set": {setFails: unix.EOPNOTSUPP}, "time is longer": {coarse: 30},
		"another has it": {busy: true}} {
		t.Run(name, func(t *testing.T) {
			d := fakeDevice(t, f)
			require.ErrorIs(t, d.Arm(10*time.Second), ErrWatchdog)
			require.False(t, d.Armed())
			require.False(t, f.active)
			require.NoFileExists(t, d.armedMarkerPath)
		})
	}
	t.Run("and cannot be closed", func(t *testing.T) {
		f := &fakeDog{setFails: unix.EOPNOTSUPP, nowayout: true}
		d := fakeDevice(t, f)
		require.ErrorIs(t, d.Arm(10*time.Second), unix.EOPNOTSUPP)
		require.ErrorIs(t, d.Arm(10*time.Second), unix.EOPNOTSUPP, "it returns the error again")
		require.False(t, d.Armed(), "it resets no machine")
		require.Eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.pets > 1 },
			10*time.Second, 10*time.Millisecond,
			"the mistake does not reset the machine")
		d.Pet()
		require.NoError(t, d.Disarm())
	})
}

func TestInspect(t *testing.T) {
	info := inspect(filepath.Join(t.TempDir(), "watchdog"), &fakeDog{}, "load it")
	require.False(t, info.OK)
	require.Contains(t, info.Remedy, "load it; without a device run holdfastd --supervise")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, inspect(file, &fakeDog{}, "load it").Detail, "is no device")
	info = inspect("/dev/null", &fakeDog{}, "") // a device that can be written
	require.True(t, info.OK)
	require.Contains(t, info.Detail, "/dev/null is there, it is inactive")
	require.Contains(t, inspect("/dev/null", &fakeDog{nowayout: true}, "").Detail, "without a way out")
	info = inspect("/dev/null", &fakeDog{active: true}, "")
	require.False(t, info.OK, "another program has it")
	require.Contains(t, info.Remedy, "only one can have it")

	dir := t.TempDir()
	require.Contains(t, softdog(dir, "6.1"), "no module softdog")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "6.1"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "6.1", "modules.dep"),
		[]byte("kernel/drivers/watchdog/softdog.ko.zst:\n"), 0o600))
	require.Contains(t, softdog(dir, "6.1"), "modprobe softdog")
}

func TestOpenRealDevice(t *testing.T) {
	const path = "/dev/watchdog"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("there is no %s on this machine", path)
	}
	// Opening it would arm it, which no test has a right to.
	_, err := Open(path, t.TempDir())
	if err != nil && !errors.Is(err, ErrUnusable) {
		t.Fatal(err)
	}
}
