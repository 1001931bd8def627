package explore

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// coreOneIn is how few runs end with a core.
const coreOneIn = 4

// returnsShare is the part of a core's time in which the lost machines are back, so the core alone has the
// time in which all machines must recover. A machine may carry out then what its operator wanted meanwhile,
// such as to shut down, and is switched on again when the faults end.
const returnsShare = 5

// addCore makes some runs end in another way than with all machines healed at once: the last part of the
// faults leaves a core of machines that the subject must survive with, drawn anew in each run, and a network
// without faults. The others are off, paused, killed or cut off until shortly before the faults end. So a
// subject must be safe first, and then serve with what is left; whether it does is for the checks of the
// subject.
func (e *explorer) addCore() {
	s := e.scenario
	length := min(s.Quiescence+s.Quiescence/(returnsShare-1), s.Duration/2)
	if len(s.Machines) < 3 || length <= 0 || e.choose("core", coreOneIn) != 1 {
		return
	}
	from := s.Duration - length
	s.Faults = endedBy(s.Faults, from)
	lost := e.drawLost(from)
	core := slices.DeleteFunc(slices.Clone(s.Machines), func(m string) bool {
		return slices.Contains(lost, m)
	})
	added := []fault.Fault{{Kind: fault.PowerOn, At: from, Machines: core}}
	for _, m := range lost {
		added = append(added, e.loss(m, from, length-length/returnsShare))
	}
	if len(s.Faults)+len(added) < scenarios.MaxFaults {
		s.Faults = append(s.Faults, added...)
	}
}

// endedBy returns the faults that begin before an instant, none of which acts after it.
func endedBy(faults []fault.Fault, by time.Duration) []fault.Fault {
	var ended []fault.Fault
	for _, f := range faults {
		if f.At >= by {
			continue
		}
		if f.For > 0 {
			f.For = min(f.For, by-f.At)
		}
		ended = append(ended, f)
	}
	return ended
}

// drawLost draws machines until the subject must not survive the loss of one more.
func (e *explorer) drawLost(at time.Duration) (lost []string) {
	machines := slices.Clone(e.scenario.Machines)
	survives := scenarios.MajoritySurvives
	if e.judge != nil {
		survives = e.judge.Survives
	}
	for len(machines) > 0 {
		i := e.choose("lost", len(machines))
		next := append(slices.Clone(lost), machines[i])
		machines = slices.Delete(machines, i, i+1)
		off := fault.Fault{Kind: fault.PowerCut, At: at, Machines: next}
		if !survives(e.scenario.DamageAt(append(slices.Clone(e.scenario.Faults), off), at)) {
			break
		}
		lost = next
	}
	return lost
}

// loss draws how a machine is lost for the rest of the faults.
func (e *explorer) loss(machine string, at, length time.Duration) fault.Fault {
	f := fault.Fault{At: at, For: length, Machines: []string{machine}}
	switch e.choose("loss", 4) {
	case 0:
		f.Kind = fault.PowerCut
	case 1:
		f.Kind = fault.Pause
	case 2:
		f.Kind = fault.Kill
	default:
		f.Kind, f.Machines, f.Groups = fault.Partition, nil, [][]string{{machine}}
	}
	return f
}
