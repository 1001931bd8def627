//go:build !linux

package host

import "time"

// kernelMono has no portable source: it is the wall clock at the start of the program, continued
// monotonically.
func kernelMono(start time.Time) time.Duration { return time.Duration(start.UnixNano()) }

func kernelBootID() string { return "" }
