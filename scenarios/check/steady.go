package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// SteadyMajority returns the times in which nothing but its own mistake keeps a machine from serving: for at
// least settle it has been in the majority of [Health], without the votes of disks that a fault had emptied
// or put back, no machine's health has changed, and no other fault acted than those that separate, stop or
// switch off machines.
func (h *Health) SteadyMajority(m env.MachineID, settle time.Duration) []Span {
	var spans []Span
	for i := range h.Phases {
		p := &h.Phases[i]
		if !p.InMajority[m] || !h.majorityOfKept(p, m) {
			continue
		}
		for _, s := range h.undisturbed(p.Span) {
			if s.From += settle; s.From < s.To {
				spans = append(spans, s)
			}
		}
	}
	return spans
}

// majorityOfKept reports whether the machines that a machine reaches in a phase have a majority without
// machines whose disks a fault emptied or put back before its end: the others decide when these may vote
// again.
func (h *Health) majorityOfKept(p *Phase, m env.MachineID) bool {
	var kept, all uint32
	for other, votes := range h.model.Votes {
		all += votes
		reached := p.Serving[other] && !p.Cut[int(m)*len(h.Machines)+other]
		if reached && !h.lostData(env.MachineID(other), p.To) {
			kept += votes
		}
	}
	return 2*kept > max(all, h.model.ExpectedVotes)
}

// lostData reports whether a fault took data from the disk of a machine before an instant.
func (f *Faults) lostData(m env.MachineID, before time.Duration) bool {
	return slices.ContainsFunc(f.Applied, func(a scenarios.Applied) bool {
		return a.Fault.LosesData() && hasBegun(&a) && f.Concerns(&a.Fault, m) && a.Begun[0] < before
	})
}

// undisturbed returns the parts of a span in which no fault acts but those that separate or stop machines.
func (h *Health) undisturbed(of Span) []Span {
	var spans []Span
	from := of.From
	for _, d := range h.disturbances() {
		if d.From >= of.To || d.To <= from {
			continue
		}
		if d.From > from {
			spans = append(spans, Span{from, d.From})
		}
		from = d.To
	}
	if from < of.To {
		spans = append(spans, Span{from, of.To})
	}
	return spans
}

// disturbances returns the times of the faults that slow machines, links or disks down, or change what passes
// or is stored, by their beginning.
func (h *Health) disturbances() []Span {
	if h.disturbed != nil {
		return h.disturbed
	}
	h.disturbed = []Span{}
	for i := range h.Applied {
		a := &h.Applied[i]
		if hasBegun(a) && !separatesOrStops(a.Fault.Kind) {
			h.disturbed = append(h.disturbed, Span{a.Begun[0], h.EndOf(a)})
		}
	}
	slices.SortFunc(h.disturbed, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	return h.disturbed
}

// hasBegun reports whether a fault was applied. One that the run never came to has no times.
func hasBegun(a *scenarios.Applied) bool { return a.Problem == "" && a.Begun[1] > 0 }

// separatesOrStops reports whether the health of machines tells all that faults of a kind do.
func separatesOrStops(k fault.Kind) bool {
	switch k {
	case fault.Partition, fault.Cut, fault.PowerCut, fault.PowerOn, fault.Kill, fault.Pause, fault.Freeze:
		return true
	}
	return false
}
