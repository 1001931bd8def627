package pve

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// stuckShutdown: a machine was told to go down and runs a service that does not end. Its agent then
// goes and leaves the rest to the watchdog.
func (j *haJudge) stuckShutdown(m env.MachineID, at time.Duration) bool {
	stubborn := false
	for _, l := range j.lives {
		stubborn = stubborn || l.machine == m && j.subject.spec.HA.Flaws[l.sid].NoStop
	}
	for _, c := range j.subject.spec.HA.Commands {
		down := c.Run == "shutdown" || c.Run == "reboot"
		if stubborn && down && c.On == j.scenario.Machines[m] && j.scaled(j.scenario.Warmup+c.At) <= at {
			return true
		}
	}
	return false
}
