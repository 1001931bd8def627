package host

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// incarnationWatchdog is the machine's watchdog for one incarnation of a process: an incarnation that has
// ended or is paused pets nothing.
type incarnationWatchdog struct {
	env.Watchdog
	incarnation *incarnation.Incarnation
}

// Arm implements env.Watchdog.
func (w incarnationWatchdog) Arm(timeout time.Duration) error {
	if err := w.incarnation.Pass(); err != nil {
		return err
	}
	return w.Watchdog.Arm(timeout)
}

// Pet implements env.Watchdog.
func (w incarnationWatchdog) Pet() {
	if w.incarnation.Pass() == nil {
		w.Watchdog.Pet()
	}
}

// Disarm implements env.Watchdog.
func (w incarnationWatchdog) Disarm() error {
	if err := w.incarnation.Pass(); err != nil {
		return err
	}
	return w.Watchdog.Disarm()
}

// Watchdog implements env.WatchdogHost.
func (e *procEnv) Watchdog() env.Watchdog {
	if e.host.watchdog == nil {
		return nil
	}
	return incarnationWatchdog{e.host.watchdog, e.incarnation}
}
