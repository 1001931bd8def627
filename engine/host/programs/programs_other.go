//go:build !unix

package programs

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// New returns nil: there are no programs on this system.
func New(string, bool, func() error) env.Programs { return nil }

// NewCalls returns nil: programs cannot be called on this system.
func NewCalls(string, func() error) (env.CommandRunner, func()) { return nil, func() {} }

// RunKeeper keeps a program; not on this system.
func RunKeeper([]string) error {
	return fmt.Errorf("%w: %w on this system", ErrProgram, errors.ErrUnsupported)
}
