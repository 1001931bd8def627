package hacheck

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/initd"
)

// goingDown is a machine that began to go down in order.
type goingDown struct {
	machine env.MachineID
	at      time.Duration
}

// forgotShutdown reports whether a machine is on at an instant because what took it down was killed before
// it had switched the machine off. Its services have ended and are frozen, and nothing repeats the order:
// package initd keeps none across its own restart.
func (e *Evidence) forgotShutdown(m env.MachineID, at time.Duration) bool {
	return slices.ContainsFunc(e.goingDowns, func(g goingDown) bool {
		return g.machine == m && g.at <= at && !e.powerLog.WasOff(m, g.at, at) &&
			e.health.Killed(m, initd.Process, at, at-g.at)
	})
}
