package world

import (
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Effect returns the functions that begin and end a fault on the machine. Faults may overlap: each
// begin needs one end, in any order. The error wraps errors.ErrUnsupported for a kind that does not
// act on machines.
func (m *Machine) Effect(f *fault.Fault) (begin, end func(), err error) {
	d := &m.diskState
	switch f.Kind {
	case fault.Kill, fault.Pause:
		return m.processEffect(f)
	case fault.PowerCut:
		return m.CutPower, m.RestorePower, nil
	case fault.PowerOn:
		return m.PressPower, func() {}, nil
	case fault.DiskStall:
		return func() { d.stallFaults++ }, m.endStall, nil
	case fault.DiskSlow:
		return func() { d.addedLatency += f.Latency }, func() { d.addedLatency -= f.Latency }, nil
	case fault.DiskFull:
		return func() { d.fullFaults++ }, func() { d.fullFaults-- }, nil
	case fault.DiskError:
		return func() { d.failingOps[f.Operation]++ }, func() { d.failingOps[f.Operation]-- }, nil
	case fault.ClockStep:
		return func() { m.clock.wallOffset += f.Step }, func() { m.clock.wallOffset -= f.Step }, nil
	case fault.ClockDrift:
		return func() { m.setDrift(m.clock.driftPPM + f.DriftPPM) },
			func() { m.setDrift(m.clock.driftPPM - f.DriftPPM) }, nil
	}
	return nil, nil, fmt.Errorf("%s in the simulator: %w", f.Kind, errors.ErrUnsupported)
}

// processEffect is the effect of a fault on one process, or on all processes of the machine.
func (m *Machine) processEffect(f *fault.Fault) (begin, end func(), err error) {
	if f.Process != "" && m.Proc(f.Process) == nil {
		return nil, nil, fmt.Errorf("%s has no process %q", m.name, f.Process)
	}
	begin, end = func() { m.Each(f.Process, (*Proc).Kill) }, func() { m.Each(f.Process, (*Proc).Revive) }
	if f.Kind == fault.Pause {
		begin, end = func() { m.Each(f.Process, (*Proc).Pause) },
			func() { m.Each(f.Process, (*Proc).Unpause) }
	}
	return begin, end, nil
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
