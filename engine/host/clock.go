package host

import (
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/engine/host/internal/kernel"
)

// ppm is the unit of drift.
const ppm = 1_000_000

// skew is how a machine's clocks differ from the kernel's. It outlives the program, because a machine's
// clock does not jump when a program on it restarts.
type skew struct {
	Offset   time.Duration `json:"offset"`    // added to the wall clock
	DriftPPM int64         `json:"drift_ppm"` // since Since
	Since    time.Duration `json:"since"`     // kernel time at which DriftPPM began to act
	Gained   time.Duration `json:"gained"`    // by earlier drifts, up to Since
}

// driftGainedAt returns what all drifts have added to the clocks at a kernel time.
func (s *skew) driftGainedAt(at time.Duration) time.Duration {
	d := int64(at - s.Since)
	return s.Gained + time.Duration(d/ppm*s.DriftPPM+d%ppm*s.DriftPPM/ppm)
}

// clock is the machine's clock: monotonic with drift, wall with drift and offset.
type clock struct {
	mu   sync.Mutex
	skew skew
}

func (c *clock) monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := kernel.Now()
	return now + c.skew.driftGainedAt(now)
}

func (c *clock) wallTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Round(0).Add(c.skew.Offset + c.skew.driftGainedAt(kernel.Now()))
}

// kernelWait returns how long to wait in kernel time for a time on the machine's monotonic clock.
func (c *clock) kernelWait(deadline time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := kernel.Now()
	left := int64(deadline - now - c.skew.driftGainedAt(now))
	rate := ppm + c.skew.DriftPPM
	wait := left/rate*ppm + left%rate*ppm/rate
	if wait == 0 && left > 0 {
		wait = 1
	}
	return time.Duration(wait)
}

// setSkew changes offset and drift from now on and returns the skew to store.
func (c *clock) setSkew(offset time.Duration, driftPPM int64) skew {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := kernel.Now()
	c.skew = skew{Offset: offset, DriftPPM: driftPPM, Since: now, Gained: c.skew.driftGainedAt(now)}
	return c.skew
}
