package hacheck

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// ringLog is when each machine installed a ring.
type ringLog struct {
	installed map[env.MachineID][]time.Duration
	last      map[env.MachineID]ring.ID
}

func (l *ringLog) observe(m env.MachineID, at time.Duration, id ring.ID) {
	if l.installed == nil {
		l.installed, l.last = map[env.MachineID][]time.Duration{}, map[env.MachineID]ring.ID{}
	}
	if l.last[m] != id {
		l.installed[m], l.last[m] = append(l.installed[m], at), id
	}
}

// churnRings is how many rings a machine installs in a watchdog's time if they do not last.
const churnRings = 10

// lateNeighbor reports whether a machine, in the time in which it was not fed, was in rings that did not last
// because another machine was late: such a machine comes into each ring too late and ends it. What the ring
// does is taken from the records, so a late machine excuses nothing where rings last.
func lateNeighbor(e *Evidence, m env.MachineID, span check.Span) bool {
	late := slices.ContainsFunc(e.health.Phases, func(p check.Phase) bool {
		others := slices.Clone(p.Late)
		others[m] = false
		return p.To > span.From && p.From < span.To && slices.Contains(others, true)
	})
	rings := 0
	for _, at := range e.ringLog.installed[m] {
		if span.From <= at && at <= span.To {
			rings++
		}
	}
	return late && rings >= churnRings
}
