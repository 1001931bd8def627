package scenarios

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/internal/survivors"
)

// DamageAt returns the damage of a schedule at an instant, which counts from the end of the warm-up as
// Fault.At does.
//
// Flapping links count as cut in both phases, as do links that lose everything. A machine is down while it
// is off or frozen, its processes are killed, paused, slow or buggified, or its disk stalls. A machine whose
// disk was full, failed or lost data stays down until the end of the faults, because a store that could not
// write may wait for its operator. Clogged links and those with a limited bandwidth or MTU count as cut. A
// fault that is aimed at a role does no damage until [fault.Fault.AimedAt] names its machine.
func (s *Scenario) DamageAt(schedule []fault.Fault, at time.Duration) Damage {
	net := fault.NewNet(s.Machines, fault.Condition{})
	down := make([]bool, len(s.Machines))
	for i := range schedule {
		f := &schedule[i]
		if at < f.At || at >= s.damageEnd(f) || f.IsAimed() {
			continue
		}
		if f.IsNetwork() {
			net.Begin(f)
			continue
		}
		for m, name := range s.Machines {
			down[m] = down[m] || disablesMachine(f.Kind) && fault.Names(f.Machines, name)
		}
	}
	d := Damage{Machines: len(s.Machines)}
	for m, is := range down {
		if is {
			d.Down = append(d.Down, env.MachineID(m))
		}
	}
	d.Reaches = func(from, to env.MachineID) bool { return net.Condition(int(from), int(to)).Passes() }
	return d
}

// disablesMachine reports whether a fault keeps a machine from serving.
func disablesMachine(k fault.Kind) bool {
	switch k {
	case fault.Kill, fault.Pause, fault.PowerCut, fault.DiskStall, fault.DiskFull, fault.DiskError,
		fault.DiskLatent, fault.Slow, fault.Freeze, fault.Buggify:
		return true
	}
	return (&fault.Fault{Kind: k}).LosesData()
}

// damageEnd returns the time at which the damage of a fault ends.
func (s *Scenario) damageEnd(f *fault.Fault) time.Duration {
	if f.Kind == fault.DiskFull || f.Kind == fault.DiskError || f.Kind == fault.DiskLatent || f.LosesData() {
		return s.Duration
	}
	return f.LatestEnd(s.Duration)
}

// MajoritySurvives reports whether more than half of the machines are up and can all reach each
// other in both directions. It is the fault budget of subjects that define no other. It returns
// false when the search for a majority takes too many steps.
func MajoritySurvives(d Damage) bool {
	votes := make([]uint32, d.Machines)
	for i := range votes {
		votes[i] = 1
	}
	return VotesSurvive(d, votes)
}

// VotesSurvive is MajoritySurvives for machines that have votes: more than half of them must be
// up and able to talk to each other.
func VotesSurvive(d Damage, votes []uint32) bool {
	var up []env.MachineID
	var all uint32
	for m := range env.MachineID(d.Machines) {
		all += votes[m]
		if !slices.Contains(d.Down, m) {
			up = append(up, m)
		}
	}
	return survivors.Exist(up, votes, all/2+1, d.Reaches)
}
