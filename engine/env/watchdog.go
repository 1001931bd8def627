package env

import (
	"errors"
	"time"
)

// WatchdogHost is implemented by an Env whose machine may have a hardware watchdog. It is no part
// of Env: most processes have no business with it.
type WatchdogHost interface {
	// Watchdog is the machine's watchdog; nil when it has none.
	Watchdog() Watchdog
}

// Watchdog is a machine's hardware watchdog, or what stands for it: once armed it resets the whole
// machine when it is not petted in time. It counts on whatever the machine's processes do: a
// process that ends or is paused, or a machine that is paused, does not stop it. A reset machine
// boots with its watchdog disarmed.
type Watchdog interface {
	// Arm starts the countdown, or starts it anew with another time.
	Arm(timeout time.Duration) error
	// Pet starts the countdown anew. It does nothing when the watchdog is not armed.
	Pet()
	// Disarm stops the countdown. Devices that cannot be stopped answer ErrWatchdogStays: then the
	// owner must go on petting.
	Disarm() error
	// Armed says whether the countdown runs, whoever started it.
	Armed() bool
}

// ErrWatchdogStays means that an armed watchdog cannot be disarmed.
var ErrWatchdogStays = errors.New("watchdog cannot be stopped")
