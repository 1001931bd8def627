//go:build !linux

package host

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

func openDevice(path, _ string) (env.Watchdog, error) {
	return nil, fmt.Errorf("%w: the watchdog %s: %w on this system", ErrConfig, path, errors.ErrUnsupported)
}
