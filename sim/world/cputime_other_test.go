//go:build !unix

package world_test

import "time"

var begun = time.Now()

// cpuTime stands for the time used: here it is the time on the wall.
func cpuTime() time.Duration { return time.Since(begun) }
