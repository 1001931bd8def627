package scenarios

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// DamageAt is what a schedule has done to the system at an instant, counted like Fault.At.
//
// Flapping links count as cut in both phases, and links that lose everything as cut. A machine is
// down while it is off, one of its processes is killed or paused, or its disk stalls. A machine
// whose disk was full or failed stays down until the end of faults: a store that could not write
// may wait for its operator.
func (s *Scenario) DamageAt(schedule []fault.Fault, at time.Duration) Damage {
	net := fault.NewNet(s.Machines, fault.Condition{})
	down := make([]bool, len(s.Machines))
	for i := range schedule {
		f := &schedule[i]
		if at < f.At || at >= s.hurtsUntil(f) {
			continue
		}
		if f.IsNetwork() {
			net.Begin(f)
			continue
		}
		for m, name := range s.Machines {
			down[m] = down[m] || disables(f.Kind) && names(f.Machines, name)
		}
	}
	d := Damage{Machines: len(s.Machines)}
	for m, is := range down {
		if is {
			d.Down = append(d.Down, env.MachineID(m))
		}
	}
	d.Reaches = func(from, to env.MachineID) bool {
		c := net.Between(int(from), int(to))
		return !c.Cut && c.Loss < fault.Always
	}
	return d
}

// disables says whether a fault keeps a machine from serving.
func disables(k fault.Kind) bool {
	switch k {
	case fault.Kill, fault.Pause, fault.PowerCut, fault.DiskStall, fault.DiskFull, fault.DiskError:
		return true
	}
	return false
}

// hurtsUntil is when the damage of a fault is over.
func (s *Scenario) hurtsUntil(f *fault.Fault) time.Duration {
	if f.Kind == fault.DiskFull || f.Kind == fault.DiskError {
		return s.Duration
	}
	return s.end(f)
}

// maxBranches bounds the search for a majority. Real schedules need a handful.
const maxBranches = 1 << 14

// MajoritySurvives says whether more than half of the machines are up and can all talk to each
// other, both ways. It is the budget of subjects that name no other. Where the answer would take
// too long to find it is no.
func MajoritySurvives(d Damage) bool {
	var up []env.MachineID
	for m := range env.MachineID(d.Machines) {
		if !slices.Contains(d.Down, m) {
			up = append(up, m)
		}
	}
	branches := maxBranches
	return clique(up, d.Machines/2+1, d.Reaches, &branches)
}

// clique looks for a number of machines that all reach each other: of two that do not, one must
// go.
func clique(of []env.MachineID, need int, reaches func(from, to env.MachineID) bool, branches *int) bool {
	if len(of) < need || *branches == 0 {
		return false
	}
	*branches--
	for i, a := range of {
		for j, b := range of[:i] {
			if reaches(a, b) && reaches(b, a) {
				continue
			}
			return clique(slices.Delete(slices.Clone(of), i, i+1), need, reaches, branches) ||
				clique(slices.Delete(slices.Clone(of), j, j+1), need, reaches, branches)
		}
	}
	return true
}
