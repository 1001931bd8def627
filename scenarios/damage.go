package scenarios

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// DamageAt returns the damage of a schedule at an instant, which counts from the end of the warm-up as
// Fault.At does.
//
// Flapping links count as cut in both phases, as do links that lose everything. A machine is down while
// it is off, one of its processes is killed or paused, or its disk stalls. A machine whose disk was full
// or failed stays down until the end of the faults, because a store that could not write may wait for
// its operator.
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
			down[m] = down[m] || disablesMachine(f.Kind) && fault.Names(f.Machines, name)
		}
	}
	d := Damage{Machines: len(s.Machines)}
	for m, is := range down {
		if is {
			d.Down = append(d.Down, env.MachineID(m))
		}
	}
	d.Reaches = func(from, to env.MachineID) bool {
		c := net.Condition(int(from), int(to))
		return !c.Cut && c.Loss < fault.Always
	}
	return d
}

// disablesMachine reports whether a fault keeps a machine from serving.
func disablesMachine(k fault.Kind) bool {
	switch k {
	case fault.Kill, fault.Pause, fault.PowerCut, fault.DiskStall, fault.DiskFull, fault.DiskError,
		fault.DiskWipe, fault.DiskRollback, fault.DiskCut:
		return true
	}
	return false
}

// hurtsUntil returns the time at which the damage of a fault ends.
func (s *Scenario) hurtsUntil(f *fault.Fault) time.Duration {
	if f.Kind == fault.DiskFull || f.Kind == fault.DiskError || f.LosesData() {
		return s.Duration
	}
	return s.faultEnd(f)
}

// maxBranches limits the search for a majority. Real schedules need a handful of branches.
const maxBranches = 1 << 14

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
	s := survivors{votes: votes, neededVotes: all/2 + 1, reaches: d.Reaches, branchesLeft: maxBranches}
	return s.surviveAmong(up)
}

// survivors looks for machines with enough votes that all reach each other.
type survivors struct {
	votes        []uint32
	neededVotes  uint32
	reaches      func(from, to env.MachineID) bool
	branchesLeft int
}

// surviveAmong looks among these: of two that do not reach each other, one must go.
func (s *survivors) surviveAmong(of []env.MachineID) bool {
	var votes uint32
	for _, m := range of {
		votes += s.votes[m]
	}
	if votes < s.neededVotes || s.branchesLeft == 0 {
		return false
	}
	s.branchesLeft--
	for i, a := range of {
		for j, b := range of[:i] {
			if s.reaches(a, b) && s.reaches(b, a) {
				continue
			}
			return s.surviveAmong(slices.Delete(slices.Clone(of), i, i+1)) ||
				s.surviveAmong(slices.Delete(slices.Clone(of), j, j+1))
		}
	}
	return true
}
