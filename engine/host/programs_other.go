//go:build !unix

package host

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Programs implements env.ProgramHost: there are none on this system.
func (e *procEnv) Programs() env.Programs { return nil }

// RunProgram keeps a program; not on this system.
func RunProgram([]string) error {
	return fmt.Errorf("%w: %w on this system", ErrProgram, errors.ErrUnsupported)
}
