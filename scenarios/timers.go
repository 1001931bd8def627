package scenarios

import (
	"math/bits"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Timers are the lengths of the timers with which a subject notices failures and acts on them, for example
// from its heartbeat to its election. A nemesis that gives no times derives them from these, because a
// fault is interesting when it lasts about as long as what the subject does meanwhile.
type Timers struct{ Shortest, Longest time.Duration }

// Known reports whether both lengths are known.
func (t Timers) Known() bool { return t.Shortest > 0 && t.Longest >= t.Shortest }

// TimedSubject is implemented by a [Subject] that states its timers. For another one the simulator measures
// them in a run without faults; see [Timers].
type TimedSubject interface {
	// Timers returns the lengths of the shortest and the longest timer; zeros when they are not stated.
	Timers() (shortest, longest time.Duration)
}

// TimersOf returns the timers that a subject states, zeros when it states none.
func TimersOf(subject Subject) Timers {
	timed, ok := subject.(TimedSubject)
	if !ok {
		return Timers{}
	}
	shortest, longest := timed.Timers()
	return Timers{shortest, longest}
}

// DefaultTimers stand for those of a subject that states none, where they cannot be measured.
var DefaultTimers = Timers{Shortest: time.Second, Longest: 4 * time.Second}

// The times of a nemesis, in terms of the subject's timers.
const (
	shortestPerForMin = 2  // the shortest fault lasts half of the shortest timer
	forMaxPerLongest  = 10 // the longest fault lasts ten times the longest timer
)

// needsTimers reports whether a nemesis leaves times to the subject's timers.
func (n *Nemesis) needsTimers() bool {
	return n != nil && (n.Every == 0 || n.ForMin == 0 || n.ForMax == 0)
}

// NeedsTimers reports whether the nemesis of a scenario needs timers that the subject does not state.
func NeedsTimers(s *Scenario, subject Subject) bool {
	return s.Nemesis.needsTimers() && !TimersOf(subject).Known()
}

// WithTimers returns the scenario with the times that its nemesis leaves out, derived from a subject's
// timers; the scenario itself if it leaves out none or the timers are not known.
func (s *Scenario) WithTimers(t Timers) *Scenario {
	if !s.Nemesis.needsTimers() || !t.Known() {
		return s
	}
	n, out := *s.Nemesis, *s
	n.MostlyShort = n.MostlyShort || n.ForMin == 0 && n.ForMax == 0
	if n.Every == 0 {
		n.Every = max(t.Longest, s.Duration/MaxDraws+1)
	}
	if n.ForMin == 0 {
		n.ForMin = min(max(t.Shortest/shortestPerForMin, 1), s.Duration)
		if n.ForMax > 0 {
			n.ForMin = min(n.ForMin, n.ForMax)
		}
	}
	if n.ForMax == 0 {
		n.ForMax = max(n.ForMin, min(forMaxPerLongest*t.Longest, s.Duration/forMaxPerLongest))
	}
	out.Nemesis = &n
	return &out
}

// WithNemesisOf returns the scenario with the nemesis that it had in a run: with the times that the run
// derived from timers.
func (s *Scenario) WithNemesisOf(r *Run) *Scenario {
	out := *s
	if s.Nemesis.needsTimers() {
		out.Nemesis = r.Scenario.Nemesis
	}
	return &out
}

// atOnceOfFull is how many faults may act at the same time in a nemesis without any times.
const atOnceOfFull = 3

// setDefaults sets what does not depend on the subject.
func (n *Nemesis) setDefaults(machines int) {
	if n.Every == 0 && n.ForMin == 0 && n.ForMax == 0 {
		setDefault(&n.AtOnce, atOnceOfFull)
	}
	setDefault(&n.AtOnce, 1)
	if n.Kinds == nil {
		n.Kinds = defaultKinds(machines)
	}
}

// defaultKinds are the kinds of a nemesis that names none: all but those that lose durable data, those that
// take a machine out of the fault budget for the rest of the run, what few systems claim to survive (packets
// with wrong bits, a machine that stands still with its hardware), rare paths on request, which few systems
// offer, and the power button, which is no fault.
func defaultKinds(machines int) []fault.Kind {
	special := []fault.Kind{fault.DiskFull, fault.DiskError, fault.DiskLatent, fault.PowerOn, fault.Corrupt,
		fault.Freeze, fault.Buggify}
	return slices.DeleteFunc(fault.Kinds(), func(k fault.Kind) bool {
		f := fault.Fault{Kind: k}
		return f.LosesData() || slices.Contains(special, k) || machines < 2 && f.IsNetwork()
	})
}

// lengthOf returns how long a fault with a drawn step lasts.
func (n *Nemesis) lengthOf(step uint64) time.Duration {
	if !n.MostlyShort {
		return n.ForMin + fractionOf(n.ForMax-n.ForMin, step)
	}
	// Each doubling of the length is equally likely, and within one every length.
	doublings := uint64(bits.Len64(uint64(n.ForMax / n.ForMin)))
	doubling, rest := step*doublings/drawResolution, step*doublings%drawResolution
	low := n.ForMin << doubling
	return min(low+fractionOf(low, rest), n.ForMax)
}
