// Package kernel reads what all programs of a real machine share: the kernel's monotonic clock and the
// name of the present power-up.
//
// Package kernel never applies the skew of a machine's clock: the host's clock does.
package kernel

import "time"

// startedAt and startedKernel anchor the program's monotonic readings to the kernel's monotonic clock,
// which all programs of a machine share.
var (
	startedAt     = time.Now()
	startedKernel = mono(startedAt)
)

// Now returns the kernel's monotonic clock, without any skew.
func Now() time.Duration { return startedKernel + time.Since(startedAt) }
