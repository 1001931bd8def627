package sim

import (
	"os"
	"runtime/debug"
)

const (
	// collectorPercent is how much garbage may gather, in percent of what is live: four times as much as Go's
	// default, because a run makes much garbage and keeps little.
	collectorPercent = 400
	// collectorLimitBytes is the memory from which the garbage of a long run, which keeps much, is collected
	// earlier.
	collectorLimitBytes = 1536 << 20
)

// TuneCollector sets the garbage collector of this process for a program that simulates and does little else.
// Simulating then takes less processor time and more memory, up to about 1.5 GiB of it. GOGC and GOMEMLIMIT
// in the environment win. It is for main and for worker processes: a library must leave the setting alone.
func TuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(collectorLimitBytes)
	}
}
