//go:build !linux

package chaos

import (
	"context"
	"fmt"
	"net"
	"runtime"

	"github.com/holdfast-sim/holdfast/scenarios"
)

func (r Runner) run(context.Context, *scenarios.Run, scenarios.Driver,
	scenarios.RunOptions) (*scenarios.Run, error) {
	return nil, fmt.Errorf("%w: they are made of Linux network namespaces, and this is %s; use --on sim",
		ErrNeeds, runtime.GOOS)
}

// Why returns why real nodes are not possible here; nil if they are.
func Why() error {
	return fmt.Errorf("%w: needs Linux, this is %s", ErrNeeds, runtime.GOOS)
}

// Dial connects to an address inside of a machine; here there are no machines.
func Dial(context.Context, scenarios.Machine, string, string) (net.Conn, error) { return nil, Why() }

// Doctor returns what this machine can do for real nodes.
func Doctor() []Capability {
	return []Capability{{Name: "linux", Detail: "this is " + runtime.GOOS, Required: true,
		Remedy: "run on Linux as root; the simulator runs here"}}
}

// CleanUp removes what killed runs have left; here there can be nothing.
func CleanUp() ([]string, error) { return nil, nil }
