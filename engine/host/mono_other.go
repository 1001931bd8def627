//go:build !linux

package host

import "time"

// kernelMono has no portable source: the wall clock at the start serves, from where the program
// goes on monotonically.
func kernelMono(start time.Time) time.Duration { return time.Duration(start.UnixNano()) }

func kernelBootID() string { return "" }
