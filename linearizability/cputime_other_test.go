//go:build !unix

package linearizability_test

import "time"

// cpuTime is not known here; benchmarks then show zero.
func cpuTime() time.Duration { return 0 }
