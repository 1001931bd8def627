//go:build !linux

package nodemain

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-sim/holdfast/engine/host"
)

// powerDownSignals is empty: there is no signal of a power supply.
var powerDownSignals []os.Signal

func superviseMain(name string, _ host.Config, _, _ string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: %v: it takes Linux to find everything that a machine has started\n", name,
		errSupervise)
	return ExitUsage
}

// RunMachine is the machine itself.
func RunMachine([]string) (int, error) {
	return ExitUsage, fmt.Errorf("%w: %w on this system", errSupervise, errors.ErrUnsupported)
}
