package scenarios

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func (v *validator) checkFaults() {
	s := v.scenario
	v.require(len(s.Faults) <= MaxFaults, "faults", "%d faults are too many; write at most %d", len(s.Faults),
		MaxFaults)
	sound := make([]bool, len(s.Faults))
	for i := range s.Faults {
		before := len(v.findings)
		v.checkFault(fmt.Sprintf("faults[%d]", i), &s.Faults[i])
		sound[i] = len(v.findings) == before
	}
	for i := range s.Faults {
		for j := range i {
			if !sound[i] || !sound[j] {
				continue
			}
			why := fault.Conflict(&s.Faults[j], &s.Faults[i], s.Machines, s.Duration)
			if why != "" {
				v.report(fmt.Sprintf("faults[%d]", i),
					"acts together with faults[%d]: %s; let it begin later or end the other one earlier", j,
					why)
			}
		}
	}
}

func (v *validator) checkFault(path string, f *fault.Fault) {
	s := v.scenario
	if err := f.Validate(s.Machines); err != nil {
		var p *fault.Problem
		if errors.As(err, &p) {
			v.report(path+"."+p.Field, "%s", p.Text)
			return
		}
		v.report(path, "%s", err)
		return
	}
	switch {
	case f.At >= s.Duration && s.Duration > 0:
		v.report(path+".at", "%s is not before the end of the faults, which last %s; times count from the "+
			"end of the warm-up",
			durationText(f.At), durationText(s.Duration))
		return
	case f.For > s.Duration-f.At:
		v.report(path+".for", "the fault would last until %s, but faults end at %s; write at most %s, or "+
			"leave the key out",
			durationText(f.At+f.For), durationText(s.Duration), durationText(s.Duration-f.At))
	}
	if f.Kind == fault.Flap && f.Up > 0 && f.Down > 0 {
		phases := (f.LatestEnd(s.Duration) - f.At) / ((f.Up + f.Down) / 2)
		v.require(phases <= MaxFlaps, path+".up", "the link would flap %d times; write longer phases", phases)
	}
	if f.IsNetwork() {
		v.require(s.affectsAnyPair(f), path, "%s", v.hasNoEffect(f))
	}
	for _, list := range []struct {
		name  string
		names []string
	}{{"from", f.From}, {"to", f.To}, {"machines", f.Machines}} {
		v.require(!hasDuplicates(list.names), path+"."+list.name,
			"names a machine twice; name each once, or all alone")
	}
}

func (v *validator) hasNoEffect(f *fault.Fault) string {
	if f.Kind == fault.Partition {
		return "all machines are in one group, so nothing is cut; name a group that leaves some machines " +
			"out, such as [[" +
			v.scenario.Machines[0] + "]]"
	}
	return "from and to hold no two different machines, so nothing is affected"
}

func hasDuplicates(names []string) bool {
	for i, name := range names {
		if slices.Contains(names[:i], name) || name == fault.All && len(names) > 1 {
			return true
		}
	}
	return false
}

// affectsAnyPair reports whether a network fault touches any pair of machines.
func (s *Scenario) affectsAnyPair(f *fault.Fault) bool {
	net := fault.NewNet(s.Machines, fault.Condition{})
	if f.IsAimed() {
		aimed := f.AimedAt(s.Machines[0])
		f = &aimed
	}
	net.Begin(f)
	for from := range s.Machines {
		for to := range s.Machines {
			if *net.Condition(from, to) != (fault.Condition{}) {
				return true
			}
		}
	}
	return false
}
