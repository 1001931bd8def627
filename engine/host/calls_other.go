//go:build !unix

package host

import "github.com/holdfast-sim/holdfast/engine/env"

// Calls implements env.CallHost: programs cannot be called on this system.
func (e *procEnv) Calls() env.Calls { return nil }
