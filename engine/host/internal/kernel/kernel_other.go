//go:build !linux

package kernel

import "time"

// mono has no portable source: it returns the wall clock at the start, from where the program's readings
// continue monotonically.
func mono(start time.Time) time.Duration { return time.Duration(start.UnixNano()) }

// BootID returns "": power-ups have no name on this system.
func BootID() string { return "" }
