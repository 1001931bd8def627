package check

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Faults evaluates which machines and processes the injected faults of a run affected, and when.
type Faults struct {
	Machines []string // their names, by id
	Applied  []scenarios.Applied
	Power    PowerLog
	End      time.Duration // of the run: faults that never ended lasted until then
}

// StopsProcesses reports whether faults of a kind keep processes from running, or from running in time, and
// leave the machine on.
func StopsProcesses(k fault.Kind) bool {
	return k == fault.Kill || k == fault.Slow || k == fault.Buggify || endsWithReset(k)
}

// endsWithReset reports whether the processes that start after a reset of the machine are free of a fault.
func endsWithReset(k fault.Kind) bool { return k == fault.Pause || k == fault.Freeze }

// makesDiskReturnErrors reports whether faults of a kind make a disk return errors.
func makesDiskReturnErrors(k fault.Kind) bool {
	return k == fault.DiskError || k == fault.DiskFull || k == fault.DiskLatent
}

// DamagesDisk reports whether faults of a kind leave a disk with other content than was written, or with
// content that cannot be read, while the machine may stay on.
func DamagesDisk(k fault.Kind) bool {
	switch k {
	case fault.DiskCorrupt, fault.DiskLatent, fault.DiskLostWrite, fault.DiskMisdirect:
		return true
	}
	return false
}

// EndOf returns when a fault ended; the run's end when it never did.
func (f *Faults) EndOf(a *scenarios.Applied) time.Duration {
	if a.Ended[1] == 0 {
		return f.End
	}
	return a.Ended[1]
}

// Acts reports whether a fault acts at an instant. One that could not be applied never does.
func (f *Faults) Acts(a *scenarios.Applied, at time.Duration) bool {
	return a.Problem == "" && a.Begun[1] > 0 && a.Begun[0] <= at && at < f.EndOf(a)
}

// Concerns reports whether a machine is among the targets of a fault.
func (f *Faults) Concerns(one *fault.Fault, m env.MachineID) bool {
	return slices.Contains(one.Machines, f.Machines[m]) || slices.Contains(one.Machines, fault.All)
}

// Stopped reports whether a fault stops a process of a machine at an instant.
//
// A pause ends when the machine is reset, because the processes that start then are not paused: with a
// pause from 10 s to 60 s and a reset at 40 s, the process is stopped until 40 s. A pause that begins
// while the machine is off, or is just being switched on, applies to the processes that start later.
func (f *Faults) Stopped(m env.MachineID, process string, at time.Duration) bool {
	for i := range f.Applied {
		a := &f.Applied[i]
		one := &a.Fault
		reset := endsWithReset(one.Kind) && f.Power.On(m, a.Begun[0]) && f.Power.Started(m, a.Begun[0]+1, at)
		if StopsProcesses(one.Kind) && !reset && f.Concerns(one, m) && concernsProcess(one, process) &&
			f.Acts(a, at) {
			return true
		}
	}
	return false
}

// concernsProcess reports whether a fault is done to a process; without a name it is done to all.
func concernsProcess(one *fault.Fault, process string) bool {
	return one.Process == "" || one.Process == process
}

// Killed reports whether a fault ended a process at an instant, or at most before earlier. One that waited
// in vain for a disk call ended none.
func (f *Faults) Killed(m env.MachineID, process string, at, before time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return a.Fault.Kind == fault.Kill && f.Concerns(&a.Fault, m) && hasBegun(&a) && !a.WithoutEffect() &&
			concernsProcess(&a.Fault, process) && a.Begun[0] <= at && at-before <= a.Begun[1]
	})
}

// StoppedSince reports whether a fault that stops a process acted at an instant, or was over at most after
// earlier.
func (f *Faults) StoppedSince(m env.MachineID, process string, at, after time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return StopsProcesses(a.Fault.Kind) && f.Concerns(&a.Fault, m) && a.Begun[1] > 0 &&
			concernsProcess(&a.Fault, process) && a.Begun[0] <= at && at <= f.EndOf(&a)+after
	})
}

// PausedFor is for how long, counted to an instant, a process had been paused at that instant or at most
// before earlier: the longest of several pauses.
func (f *Faults) PausedFor(m env.MachineID, process string,
	until, before time.Duration) (longest time.Duration) {
	for i := range f.Applied {
		a := &f.Applied[i]
		if endsWithReset(a.Fault.Kind) && f.Concerns(&a.Fault, m) && a.Begun[1] > 0 &&
			a.Begun[0] <= until && concernsProcess(&a.Fault, process) && f.EndOf(a) >= until-before {
			longest = max(longest, until-a.Begun[0])
		}
	}
	return longest
}

// AnyActed reports whether any fault acted at some instant of a time, or failed to be taken back.
func (f *Faults) AnyActed(from, to time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return a.Begun[0] <= to && (a.Ended[1] == 0 || a.Ended[1] >= from)
	})
}

// MaxDrift is the greatest drift of a clock that a fault caused, fast or slow, in parts per million.
func (f *Faults) MaxDrift() (ppm int64) {
	for i := range f.Applied {
		if one := &f.Applied[i].Fault; one.Kind == fault.ClockDrift {
			ppm = max(ppm, one.DriftPPM, -one.DriftPPM)
		}
	}
	return ppm
}

// EndAtKills returns run intervals that end where a fault killed the process that their services run in,
// for subjects whose services do not report such an end.
func (f *Faults) EndAtKills(intervals []Interval, process string) []Interval {
	cut := slices.Clone(intervals)
	for i := range f.Applied {
		a := &f.Applied[i]
		if a.Fault.Kind != fault.Kill || !concernsProcess(&a.Fault, process) || a.WithoutEffect() {
			continue // one that waited for a disk call may never have come to it
		}
		for n := range cut {
			v := &cut[n]
			if f.Concerns(&a.Fault, v.Machine) && v.From <= a.Begun[0] && a.Begun[0] < v.To &&
				a.Begun[1] > 0 {
				v.To = a.Begun[0]
			}
		}
	}
	return cut
}

// anyOnLink reports whether a fault that meets a condition acts on the link between a machine and the
// network.
func (f *Faults) anyOnLink(m env.MachineID, at time.Duration, is func(*fault.Fault) bool) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		one := &a.Fault
		ends := one.Kind == fault.Link && slices.Contains(one.From, f.Machines[m]) ||
			one.Kind == fault.Corrupt && f.endsAt(one, m)
		return ends && f.Acts(&a, at) && is(one)
	})
}

// buggified reports whether processes of some machine take rare paths at an instant.
func (f *Faults) buggified(at time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return a.Fault.Kind == fault.Buggify && f.Acts(&a, at)
	})
}

// endsAt reports whether a machine is at one of the ends of a network fault.
func (f *Faults) endsAt(one *fault.Fault, m env.MachineID) bool {
	return fault.Names(one.From, f.Machines[m]) || fault.Names(one.To, f.Machines[m])
}

// diskFailing reports whether a machine's disk returns errors at an instant.
func (f *Faults) diskFailing(m env.MachineID, at time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return makesDiskReturnErrors(a.Fault.Kind) && f.Concerns(&a.Fault, m) && f.Acts(&a, at)
	})
}

// diskBroken reports whether a machine's disk keeps a process from working that may need a time to return
// after errors, unless the machine was switched on since they ended.
func (f *Faults) diskBroken(m env.MachineID, at, returns time.Duration) bool {
	for i := range f.Applied {
		a := &f.Applied[i]
		if !f.Concerns(&a.Fault, m) || a.Begun[1] == 0 || a.Begun[0] > at {
			continue
		}
		switch {
		case DamagesDisk(a.Fault.Kind):
			return true // what it wrote may be gone for good
		case a.Fault.Kind == fault.DiskStall:
			if f.Acts(a, at) {
				return true
			}
		case makesDiskReturnErrors(a.Fault.Kind):
			if at < f.EndOf(a)+returns && !f.Power.Started(m, f.EndOf(a), at) {
				return true
			}
		}
	}
	return false
}

// separatesOne reports whether a flapping fault separates one machine from all others that are present.
// Then the network is transitive in both of its phases, and only that machine is unsteady: it counts as
// unreachable.
func (f *Faults) separatesOne(flap *fault.Fault, present []bool) bool {
	covers := func(one, others []string) bool {
		if len(one) != 1 || one[0] == fault.All {
			return false
		}
		for m, name := range f.Machines {
			if present[m] && name != one[0] && !fault.Names(others, name) {
				return false
			}
		}
		return true
	}
	return !flap.OneWay && (covers(flap.From, flap.To) || covers(flap.To, flap.From))
}

// reachableAt returns which machines reach which at an instant, and which of them do so directly. unclear is
// true when those that are present are not divided into groups by it: links between several machines flap, a
// link passes packets only one way, or two machines do not reach each other and both reach a third. With
// relays, the machines that can be one, only the last of these counts, for machines that do not reach each
// other over one relay either, and a link works in both directions or in none.
func (f *Faults) reachableAt(at time.Duration, present, relays []bool) (
	reaches, direct func(a, b int) bool, unclear bool) {
	net := fault.NewNet(f.Machines, fault.Condition{})
	for i := range f.Applied {
		a := &f.Applied[i]
		if a.Fault.IsNetwork() && f.Acts(a, at) {
			one := a.Fault
			unclear = unclear || one.Kind == fault.Flap && !f.separatesOne(&one, present) ||
				one.Kind == fault.Bandwidth || one.Kind == fault.MTU
			net.Begin(&one) // in its down phase
		}
	}
	direct = func(a, b int) bool {
		return net.Condition(a, b).Passes()
	}
	reaches = direct
	if relays != nil {
		reaches = overOneRelay(direct, relays)
	}
	n := len(f.Machines)
	for a := range n {
		for b := range n {
			if !present[a] || !present[b] || a == b {
				continue
			}
			unclear = unclear || reaches(a, b) != reaches(b, a)
			for c := range n {
				unclear = unclear || present[c] && reaches(a, b) && reaches(b, c) && !reaches(a, c)
			}
		}
	}
	return reaches, direct, unclear
}

// overOneRelay returns which machines reach each other directly or over one of the relays.
func overOneRelay(passes func(a, b int) bool, relays []bool) func(a, b int) bool {
	works := func(a, b int) bool { return a == b || passes(a, b) && passes(b, a) }
	return func(a, b int) bool {
		if works(a, b) {
			return true
		}
		for relay, canBe := range relays {
			if canBe && works(a, relay) && works(relay, b) {
				return true
			}
		}
		return false
	}
}
