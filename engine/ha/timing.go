package ha

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoMargin means that a node could still run services when another node can take its lock.
var ErrNoMargin = errors.New("no safety margin between watchdog and lock TTL")

// ppm is one part in a million.
const ppm = 1_000_000

// Timing holds the times on which self-fencing relies.
type Timing struct {
	// LockTTL is how long an agent lock stays valid without renewal, by the clock of the node that
	// judges it.
	LockTTL time.Duration
	// Watchdog is how long a client of the watchdog may be silent.
	Watchdog time.Duration
	// Check is how often the watchdog multiplexer looks for silent clients.
	Check time.Duration
	// Device is how long the device waits after the multiplexer stopped feeding it.
	Device time.Duration
	// DriftPpm is how much the clocks of two nodes may differ in speed, in parts per million.
	DriftPpm int64
}

// DefaultTiming returns Proxmox VE's times: 120 s for the lock, and 60 + 1 + 10 s until the reset.
func DefaultTiming() Timing {
	return Timing{
		LockTTL: 120 * time.Second, Watchdog: 60 * time.Second, Check: time.Second, Device: 10 * time.Second,
		DriftPpm: 500,
	}
}

// ResetBound is the longest time from an LRM's last feed of its watchdog to the reset of its machine.
func (t Timing) ResetBound() time.Duration { return t.Watchdog + t.Check + t.Device }

// Margin is the time between the reset of a node and the earliest instant at which its lock can be
// taken, under the largest allowed clock drift.
func (t Timing) Margin() time.Duration {
	drift := (t.LockTTL/ppm + 1) * time.Duration(t.DriftPpm)
	return t.LockTTL - t.ResetBound() - drift
}

// Validate returns ErrNoMargin for times that leave no margin.
func (t Timing) Validate() error {
	if t.LockTTL <= 0 || t.Watchdog <= 0 || t.Check < 0 || t.Device < 0 || t.DriftPpm < 0 ||
		t.DriftPpm > ppm {
		return fmt.Errorf("check fencing times %+v: they must be positive: %w", t, ErrNoMargin)
	}
	if margin := t.Margin(); margin <= 0 {
		return fmt.Errorf(
			"check fencing times: a lock is valid for %v but a reset takes up to %v, raise the lock TTL "+
				"by more than %v: %w", t.LockTTL, t.ResetBound(), -margin, ErrNoMargin)
	}
	return nil
}
