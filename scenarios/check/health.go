package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// HealthModel holds the parameters of the health of a subject's machines. Its times are already multiplied
// by the run's timescale.
type HealthModel struct {
	Votes []uint32 // by machine
	// ExpectedVotes is how many votes the cluster expects if that is more than the machines have together.
	ExpectedVotes uint32
	// MemberProcess must run for a machine to be a member of the cluster, ServingProcess for its votes to
	// count. They may be the same.
	MemberProcess, ServingProcess string
	// Watched are further processes; phases note which of them are stopped. At most MaxWatched.
	Watched []string
	// LateAfter is the added latency of a link from which on a machine may be too late to become a member:
	// phases note it. 0 means never.
	LateAfter time.Duration
	// LossMax is the loss of a link from which on the membership of its machine does not hold.
	LossMax fault.PPM
	// Relays means that two machines whose link does not work reach each other over one that both of them
	// reach.
	Relays bool
	// DiskReturns is how long the serving process may take to serve again after a disk error.
	DiskReturns time.Duration
}

// MaxWatched limits the watched processes.
const MaxWatched = 64

// Health is the state of a cluster's machines over time, derived from faults and power alone and never from
// the records of processes. So it shows what a cluster without bugs could have done.
type Health struct {
	Faults
	// Phases divide the run; nothing changes within one, and neighbours differ.
	Phases []Phase
	model  HealthModel
	// disturbed is what disturbances returns; nil before its first call.
	disturbed []Span
}

// Phase is a time in which the health did not change.
type Phase struct {
	Span
	Present     []bool       // by machine: it has power, and its member process is not stopped
	Late        []bool       // present, with a link slower than LateAfter
	DiskFailing []bool       // present, with a disk that returns errors
	Serving     []bool       // present, with a working disk, and its serving process is not stopped
	InMajority  []bool       // serving, in a group that has the votes of a majority; false while Unclear
	Stopped     []ProcessSet // by machine: the watched processes that faults stop
	Cut         []bool       // by ordered pair of machines, a*len+b: nothing passes from a to b
	// Relayed, by the same pairs, is true where a reaches b over a relay only. A change of the route may cost
	// a ring, so it is a change of the health.
	Relayed []bool
	// Unclear means that reachability does not divide the present machines into groups, that a link of one
	// loses more than LossMax, or that one is buggified and may lose any message: no one can derive which
	// machines belong together.
	Unclear bool
}

// ProcessSet is a set of watched processes by their place in the model's list.
type ProcessSet uint64

// Has reports whether the i-th watched process is in the set.
func (s ProcessSet) Has(i int) bool { return s&(1<<i) != 0 }

// NewHealth derives the health of a finished run's machines.
func NewHealth(r *scenarios.Run, power PowerLog, model HealthModel) *Health {
	if len(model.Watched) > MaxWatched {
		panic("check: too many watched processes")
	}
	h := &Health{model: model,
		Faults: Faults{Machines: r.Scenario.Machines, Applied: r.Applied, Power: power, End: r.Duration}}
	at := h.breakpoints()
	for i, from := range at[:len(at)-1] {
		p := h.phaseIn(Span{from, at[i+1]})
		if last := len(h.Phases) - 1; last >= 0 && h.Phases[last].hasSameHealth(&p) {
			h.Phases[last].To = p.To
			continue
		}
		h.Phases = append(h.Phases, p)
	}
	return h
}

// breakpoints are the instants at which the health may change, with the run's beginning and end.
func (h *Health) breakpoints() []time.Duration {
	at := []time.Duration{0, h.End}
	for i := range h.Applied {
		a := &h.Applied[i]
		at = append(at, a.Begun[0], h.EndOf(a))
		if makesDiskReturnErrors(a.Fault.Kind) {
			at = append(at, h.EndOf(a)+h.model.DiskReturns)
		}
	}
	for _, p := range h.Power {
		at = append(at, p.At)
	}
	at = slices.DeleteFunc(at, func(t time.Duration) bool { return t < 0 || t > h.End })
	slices.Sort(at)
	return slices.Compact(at)
}

// hasSameHealth reports whether nothing but the time differs between two phases.
func (p *Phase) hasSameHealth(q *Phase) bool {
	return p.Unclear == q.Unclear && slices.Equal(p.Present, q.Present) && slices.Equal(p.Late, q.Late) &&
		slices.Equal(p.DiskFailing, q.DiskFailing) && slices.Equal(p.Serving, q.Serving) &&
		slices.Equal(p.InMajority, q.InMajority) && slices.Equal(p.Stopped, q.Stopped) &&
		slices.Equal(p.Cut, q.Cut) && slices.Equal(p.Relayed, q.Relayed)
}

// phaseIn derives the health in a span that has no breakpoint inside.
func (h *Health) phaseIn(span Span) Phase {
	n := len(h.Machines)
	flags := make([]bool, 5*n)
	part := func(i int) []bool { return flags[i*n : (i+1)*n : (i+1)*n] }
	p := Phase{Span: span, Present: part(0), Late: part(1), DiskFailing: part(2), Serving: part(3),
		InMajority: part(4), Stopped: make([]ProcessSet, n)}
	at := span.From
	for m := range env.MachineID(n) {
		p.Present[m] = h.Power.On(m, at) && !h.Stopped(m, h.model.MemberProcess, at)
		p.Late[m] = p.Present[m] && h.model.LateAfter > 0 && h.anyOnLink(m, at, func(f *fault.Fault) bool {
			return f.Latency+f.Jitter >= h.model.LateAfter
		})
		p.DiskFailing[m] = p.Present[m] && h.diskFailing(m, at)
		p.Serving[m] = p.Present[m] && !h.diskBroken(m, at, h.model.DiskReturns) &&
			!h.Stopped(m, h.model.ServingProcess, at)
		for i, process := range h.model.Watched {
			if h.Stopped(m, process, at) {
				p.Stopped[m] |= 1 << i
			}
		}
	}
	h.connectMachines(&p)
	return p
}

// connectMachines derives which machines of a phase belong together.
func (h *Health) connectMachines(p *Phase) {
	n := len(h.Machines)
	// Members may be without their serving process. A member process whose disk returns errors may have
	// ended, so its machine is no relay.
	var relays []bool
	for m := range env.MachineID(n) {
		if h.model.Relays {
			relays = append(relays, p.Present[m] && !h.diskBroken(m, p.From, h.model.DiskReturns))
		}
	}
	reaches, direct, unclear := h.reachableAt(p.From, p.Present, relays)
	lossy := func(f *fault.Fault) bool { return f.Loss+f.Share >= h.model.LossMax }
	unclear = unclear || h.buggified(p.From)
	for m := range env.MachineID(n) {
		unclear = unclear || p.Present[m] && h.anyOnLink(m, p.From, lossy)
	}
	p.Unclear = unclear
	var all uint32
	for a := range n {
		all += h.model.Votes[a]
		for b := range n {
			p.Cut = append(p.Cut, !reaches(a, b))
			p.Relayed = append(p.Relayed, relays != nil && a != b && reaches(a, b) &&
				!(direct(a, b) && direct(b, a)))
		}
	}
	for m := range n {
		var votes uint32
		for other := range n {
			if p.Serving[other] && reaches(m, other) {
				votes += h.model.Votes[other]
			}
		}
		p.InMajority[m] = p.Serving[m] && !unclear && 2*votes > max(all, h.model.ExpectedVotes)
	}
}

// At is the phase of an instant.
func (h *Health) At(at time.Duration) *Phase {
	i, found := slices.BinarySearchFunc(h.Phases, at, func(p Phase, at time.Duration) int {
		return cmp.Compare(p.From, at)
	})
	if !found {
		i--
	}
	return &h.Phases[max(i, 0)]
}

// Settled returns the last instant in a span at which holds had been true for so long that a machine has
// certainly completed its periodic work. found is false when there is none.
//
// A machine needs the time settle after holds becomes true, and resettle after each later change of the phase
// in which it stays true, for example because another machine joined or failed. Times before the span count,
// up to twice settle, so a machine that was settled before a short interruption need not settle again.
//
// Worked example, with settle 30 s, resettle 20 s and a span from 100 s to 160 s. holds becomes true at 90
// s, so the machine has settled at 120 s. If another machine fails at 115 s, the last instant is 160 s,
// because 45 s have passed since then. If it fails at 150 s, the last instant is 150 s: at 160 s only 10 s
// have passed.
func (h *Health) Settled(span Span, settle, resettle time.Duration,
	holds func(*Phase) bool) (last time.Duration, found bool) {
	back := span.From - 2*settle
	troubled := true
	var since time.Duration
	for i := range h.Phases {
		p := &h.Phases[i]
		if p.To <= back || p.From >= span.To {
			continue
		}
		if !holds(p) {
			troubled = true
			continue
		}
		if troubled {
			since, troubled = p.From, false
		}
		end := min(p.To, span.To)
		if end > span.From && end >= since+settle && end-p.From >= resettle {
			last, found = end, true
		}
	}
	return last, found
}
