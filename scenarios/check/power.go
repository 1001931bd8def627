package check

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// PowerChange is a machine's going on or off.
type PowerChange struct {
	At      time.Duration
	Machine env.MachineID
	On      bool
}

// PowerLog collects the changes of the machines' power, in their order.
type PowerLog []PowerChange

// Observe implements Observer.
func (l *PowerLog) Observe(r scenarios.Stamped) {
	if power, is := r.Record.(scenarios.Power); is {
		*l = append(*l, PowerChange{r.At, r.Machine, power.On})
	}
}

// On reports whether a machine has power at an instant. Before its first change it has none.
func (l PowerLog) On(m env.MachineID, at time.Duration) bool {
	on := false
	for _, p := range l {
		if p.Machine == m && p.At <= at {
			on = p.On
		}
	}
	return on
}

// Started reports whether a machine was switched on in a time, both ends included.
func (l PowerLog) Started(m env.MachineID, from, to time.Duration) bool {
	return slices.ContainsFunc(l, func(p PowerChange) bool {
		return p.On && p.Machine == m && from <= p.At && p.At <= to
	})
}

// LostPower reports whether a machine was switched off at any time.
func (l PowerLog) LostPower(m env.MachineID) bool {
	return slices.ContainsFunc(l, func(p PowerChange) bool { return !p.On && p.Machine == m })
}

// WasOff reports whether a machine was switched off at some instant between from and to. The time before it
// was first switched on does not count.
func (l PowerLog) WasOff(m env.MachineID, from, to time.Duration) bool {
	off, since := false, time.Duration(0)
	for _, p := range l {
		switch {
		case p.Machine != m:
		case !p.On:
			if !off {
				off, since = true, p.At
			}
		case off && since <= to && p.At >= from:
			return true
		default:
			off = false
		}
	}
	return off && since <= to
}
