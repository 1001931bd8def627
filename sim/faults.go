package sim

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// nemesis makes the faults of a schedule act on a world, each at its time.
type nemesis struct {
	world   *world.World
	names   []string
	faults  []fault.Fault
	offset  time.Duration // of the schedule's times: the warm-up
	end     time.Duration // when every fault that is still there is healed
	applied []scenarios.Applied
	active  []bool
}

// Codes of the nemesis: what to do with the fault that arg names.
const (
	faultBegins = iota
	faultEnds
	faultToggles
)

func newNemesis(w *world.World, names []string, faults []fault.Fault, warmup, duration time.Duration) *nemesis {
	n := &nemesis{world: w, names: names, faults: faults, offset: warmup, end: warmup + duration,
		active: make([]bool, len(faults)), applied: make([]scenarios.Applied, len(faults))}
	for i := range faults {
		f := &n.faults[i]
		n.applied[i].Fault = *f
		w.Kernel.At(int64(warmup+f.At), n, faultBegins, uint64(i))
	}
	return n
}

// Handle implements kernel.Handler.
func (n *nemesis) Handle(code uint32, arg uint64) {
	f := &n.faults[arg]
	switch code {
	case faultBegins:
		n.begin(int(arg))
		ends := n.end
		if f.For > 0 {
			ends = min(ends, n.world.Now()+f.For)
		}
		n.world.Kernel.At(int64(ends), n, faultEnds, arg)
		if f.Kind == fault.Flap {
			n.world.Kernel.After(int64(f.Down), n, faultToggles, arg)
		}
	case faultToggles:
		if n.active[arg] {
			n.world.Kernel.After(int64(n.world.Net.Toggle(f)), n, faultToggles, arg)
		}
	case faultEnds:
		n.heal(int(arg))
	}
}

func (n *nemesis) begin(i int) {
	f := &n.faults[i]
	n.active[i] = true
	n.applied[i].Begun = [2]time.Duration{n.world.Now(), n.world.Now()}
	if f.IsNetwork() {
		n.world.Net.Begin(f)
		return
	}
	n.each(f, func(m *world.Machine) {
		switch f.Kind {
		case fault.Kill:
			m.Each(f.Process, (*world.Proc).Kill)
		case fault.Pause:
			m.Each(f.Process, (*world.Proc).Pause)
		case fault.PowerCut:
			m.CutPower()
		case fault.PowerOn:
			m.PressPower()
		default:
			m.Begin(f)
		}
	})
}

func (n *nemesis) heal(i int) {
	if !n.active[i] {
		return
	}
	f := &n.faults[i]
	n.active[i] = false
	n.applied[i].Ended = [2]time.Duration{n.world.Now(), n.world.Now()}
	if f.IsNetwork() {
		n.world.Net.End(f)
		return
	}
	n.each(f, func(m *world.Machine) {
		switch f.Kind {
		case fault.Kill:
			m.Each(f.Process, (*world.Proc).Revive)
		case fault.Pause:
			m.Each(f.Process, (*world.Proc).Unpause)
		case fault.PowerCut:
			m.RestorePower()
		case fault.PowerOn: // a button has no lasting effect
		default:
			m.End(f)
		}
	})
}

func (n *nemesis) each(f *fault.Fault, do func(*world.Machine)) {
	for i, name := range n.names {
		if slices.Contains(f.Machines, name) || slices.Contains(f.Machines, fault.All) {
			do(n.world.MachineAt(i))
		}
	}
}
