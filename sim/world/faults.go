package world

// This file holds what each kind of fault does to a machine. Package sim decides when it begins and ends.

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/disk"
)

// Effect is what a fault does to one machine.
type Effect struct {
	Begin, End func()
	// Hits returns how many processes or disk calls the fault affected until now; for a fault of the power
	// or the clock it is 1 or 0.
	Hits func() uint64
}

// Effect returns the effect of a fault on the machine. Faults may overlap: each begin needs one end, in any
// order. The error wraps errors.ErrUnsupported for a kind that does not act on machines.
func (m *Machine) Effect(f *fault.Fault) (Effect, error) {
	d := &m.diskState
	switch f.Kind {
	case fault.Kill, fault.Pause, fault.Slow:
		return m.processEffect(f)
	case fault.Freeze:
		return freezeEffect(m), nil
	case fault.PowerCut:
		if f.AtDiskCall > 0 {
			return crashAtCall(m, f, m.CutPower, m.RestorePower), nil
		}
		return m.countedEffect(func() bool { return m.isOn }, m.CutPower, m.RestorePower), nil
	case fault.PowerOn:
		return m.countedEffect(func() bool { return !m.isOn }, m.PressPower, func() {}), nil
	case fault.Buggify:
		return buggifyEffect(m, f), nil
	case fault.DiskStall:
		return stallEffect(m), nil
	case fault.DiskSlow:
		return d.countedEffect(anyCall, func() { d.addedLatency += f.Latency },
			func() { d.addedLatency -= f.Latency }), nil
	case fault.DiskFull:
		return d.countedEffect(growingCall, func() { d.fullFaults++ }, func() { d.fullFaults-- }), nil
	case fault.DiskCorrupt, fault.DiskLatent, fault.DiskLostWrite, fault.DiskMisdirect:
		return damageEffect(m, f), nil
	case fault.DiskError:
		if f.AtDiskCall > 0 {
			return failCall(m, f), nil
		}
		return d.countedEffect(callOf(f.Operation), func() { d.failingOps[f.Operation]++ },
			func() { d.failingOps[f.Operation]-- }), nil
	case fault.DiskWipe:
		return m.countedEffect(always, func() { m.CutPower(); replaceDisk(m, nil) }, m.RestorePower), nil
	case fault.DiskRollback:
		var image disk.Image
		return m.countedEffect(always, func() { image = m.disk.Image() }, func() {
			m.CutPower()
			replaceDisk(m, image)
			m.RestorePower()
		}), nil
	case fault.DiskCut:
		return m.countedEffect(always, func() { m.CutPower(); halveFile(m, f.File) }, m.RestorePower), nil
	case fault.ClockStep:
		return m.countedEffect(always, func() { m.clock.wallOffset += f.Step },
			func() { m.clock.wallOffset -= f.Step }), nil
	case fault.ClockDrift:
		return m.countedEffect(always, func() { m.setDrift(m.clock.driftPPM + f.DriftPPM) },
			func() { m.setDrift(m.clock.driftPPM - f.DriftPPM) }), nil
	}
	return Effect{}, fmt.Errorf("%s in the simulator: %w", f.Kind, errors.ErrUnsupported)
}

func always() bool { return true }

// countedEffect returns an effect that hits once if a condition holds when it begins.
func (m *Machine) countedEffect(condition func() bool, begin, end func()) Effect {
	var hits uint64
	return Effect{End: end, Hits: func() uint64 { return hits }, Begin: func() {
		if condition() {
			hits++
		}
		begin()
	}}
}

// stallEffect is a stall of the disk. It hits the calls that begin during it, and those that were under way
// when it began and wait at its end.
func stallEffect(m *Machine) Effect {
	d, waiting := &m.diskState, uint64(0)
	e := d.countedEffect(anyCall, func() { d.stallFaults++ }, func() {
		waiting = uint64(len(d.stalledProcs))
		m.endStall()
	})
	begun := e.Hits
	e.Hits = func() uint64 { return max(begun(), waiting) }
	return e
}

// callOf returns the kind of the calls that a disk error with the operation makes fail.
func callOf(operation string) diskCall {
	switch operation {
	case "read":
		return readCall
	case "sync":
		return syncCall
	}
	return writeCall
}

// countedEffect returns an effect that hits every disk call of a kind between its begin and its end.
func (d *diskState) countedEffect(kind diskCall, begin, end func()) Effect {
	var before, hits uint64
	return Effect{Hits: func() uint64 { return hits },
		Begin: func() { before = d.calls[kind]; begin() },
		End:   func() { hits += d.calls[kind] - before; end() }}
}

// processEffect is the effect of a fault on one process, or on all processes of the machine. A pause also
// hits the processes that start during it.
func (m *Machine) processEffect(f *fault.Fault) (Effect, error) {
	if f.Process != "" && m.Proc(f.Process) == nil {
		return Effect{}, fmt.Errorf("%s has no process %q", m.name, f.Process)
	}
	begin, end := (*Proc).Kill, (*Proc).Revive
	switch {
	case f.Kind == fault.Pause:
		begin, end = (*Proc).Pause, (*Proc).Unpause
	case f.Kind == fault.Slow:
		return slowEffect(m, f), nil
	case f.AtDiskCall > 0:
		return crashAtCall(m, f, func() { m.Each(f.Process, begin) }, func() { m.Each(f.Process, end) }), nil
	}
	var hits uint64
	countUp := func() {
		var up uint64
		m.Each(f.Process, func(p *Proc) {
			if p.up {
				up++
			}
		})
		hits = max(hits, up)
	}
	return Effect{Hits: func() uint64 { return hits },
		Begin: func() { countUp(); m.Each(f.Process, begin) },
		End:   func() { countUp(); m.Each(f.Process, end) }}, nil
}

// freezeEffect stops a machine that is on.
func freezeEffect(m *Machine) Effect {
	wasOn := false
	return Effect{Hits: func() uint64 { return countOf(wasOn) },
		Begin: func() {
			if wasOn = m.isOn; wasOn {
				m.freeze.begin()
			}
		},
		End: func() {
			if wasOn {
				m.freeze.end()
			}
		}}
}

// slowEffect makes the steps of processes longer. It hits every such step.
func slowEffect(m *Machine, f *fault.Fault) Effect {
	more := max(f.Times-1, 0)
	var before, hits uint64
	return Effect{Hits: func() uint64 { return hits },
		Begin: func() {
			before = m.slowSteps
			m.Each(f.Process, func(p *Proc) { p.slowSteps(more, f.Latency) })
		},
		End: func() {
			hits = m.slowSteps - before
			m.Each(f.Process, func(p *Proc) { p.slowSteps(-more, -f.Latency) })
		}}
}

// endStall ends one stall of the disk; waiting calls continue after the last one.
func (m *Machine) endStall() {
	if m.diskState.stallFaults--; m.diskState.stallFaults > 0 {
		return
	}
	waiting := m.diskState.stalledProcs
	m.diskState.stalledProcs = nil
	for _, p := range waiting {
		m.world.Kernel.After(0, p, codeWake, p.generation)
	}
}
