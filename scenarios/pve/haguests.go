package pve

import (
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

// HAGuestTimes are the means of what starting and an orderly stop take.
type HAGuestTimes struct {
	Start time.Duration `yaml:"start,omitempty" json:"start,omitempty"`
	Stop  time.Duration `yaml:"stop,omitempty" json:"stop,omitempty"`
}

// times puts the given ones into a machine's options.
func (g *HAGuestTimes) times(o *resource.GuestOptions) {
	for _, t := range []struct{ given, used *time.Duration }{
		{&g.Start, &o.StartTime}, {&g.Stop, &o.StopTime},
	} {
		if *t.given > 0 {
			*t.used = *t.given
		}
	}
}

// hopeless is how many starts of a guest must fail to say that it never starts.
const hopeless = 1000

// neverStarts: a service cannot run anywhere, whatever is done for it.
func (h *HASpec) neverStarts(sid string) bool {
	flaw, has := h.Flaws[sid]
	return has && flaw.Starts >= hopeless && len(flaw.On) == 0
}

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
