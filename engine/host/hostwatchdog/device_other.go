//go:build !linux

package hostwatchdog

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// openDevice fails with ErrUnusable: watchdog devices are known on Linux only.
func openDevice(path, _ string) (env.Watchdog, error) {
	return nil, fmt.Errorf("%w: %s: %w on this system", ErrUnusable, path, errors.ErrUnsupported)
}
