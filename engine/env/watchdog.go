package env

import (
	"errors"
	"time"
)

// WatchdogHost is implemented by an Env whose machine may have a hardware watchdog. It is not a part of
// Env: most processes must not use it.
type WatchdogHost interface {
	// Watchdog returns the machine's watchdog; nil if it has none.
	Watchdog() Watchdog
}

// Watchdog is a machine's hardware watchdog, or a substitute for it: once armed, it resets the whole
// machine when it is not petted in time. It counts down regardless of what the machine's processes do: a
// process that ends or is paused, or a machine that is paused, does not stop it. A reset machine boots
// with its watchdog disarmed.
type Watchdog interface {
	// Arm starts the countdown, or restarts it with another timeout.
	Arm(timeout time.Duration) error
	// Pet restarts the countdown. It does nothing if the watchdog is not armed.
	Pet()
	// Disarm stops the countdown. Devices that cannot be stopped fail with ErrWatchdogStays; the owner
	// must then keep petting.
	Disarm() error
	// Armed reports whether the countdown runs, regardless of who started it.
	Armed() bool
}

// ErrWatchdogStays means that an armed watchdog cannot be disarmed.
var ErrWatchdogStays = errors.New("watchdog cannot be stopped")
