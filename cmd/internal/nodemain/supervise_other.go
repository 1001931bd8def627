//go:build !linux

package nodemain

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sim/holdfast/engine/host"
)

func superviseMain(name string, _ host.Config, _ string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: %v: it takes Linux to find everything that a machine has started\n", name,
		errSupervise)
	return ExitUsage
}

// RunMachine is the machine itself.
func RunMachine([]string) (int, error) {
	return ExitUsage, fmt.Errorf("%w: %w on this system", errSupervise, errors.ErrUnsupported)
}
