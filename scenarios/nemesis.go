package scenarios

import (
	"cmp"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// NemesisStream is the name of the stream from which a nemesis draws.
const NemesisStream = "nemesis"

// Expand returns every fault of a run in the order of their beginnings: those written in the
// scenario and those that its nemesis draws. It is a pure function of the draws, so both backends
// get the same faults.
//
// Drawn faults never exceed the damage that the judge's Survives accepts; a nil judge stands for
// [MajoritySurvives]. Faults without effect are not drawn. Time is divided into slots, and each slot
// draws one value of every label, so that a value changed in one slot leaves the draws of the others
// unchanged. A slot that draws only zeros has no fault.
//
// With a timescale, expand first and scale the result ([Scenario.Resolved]): then the draws mean the
// same at every scale.
func Expand(s *Scenario, judge Judge, choices draw.Lists) []fault.Fault {
	schedule := slices.Clone(s.Faults)
	if s.Nemesis != nil {
		survives := MajoritySurvives
		switch {
		case s.Nemesis.BeyondSurvival:
			survives = func(Damage) bool { return true }
		case judge != nil:
			survives = judge.Survives
		}
		e := expander{s: s, survives: survives, schedule: schedule}
		e.run(choices)
		schedule = e.schedule
	}
	slices.SortStableFunc(schedule, func(a, b fault.Fault) int { return cmp.Compare(a.At, b.At) })
	return schedule
}

// Resolved returns the scenario with the faults of [Expand] in place of its nemesis.
func (s *Scenario) Resolved(judge Judge, choices draw.Lists) *Scenario {
	r := *s
	r.Faults, r.Nemesis = Expand(s, judge, choices), nil
	return &r
}

// draws are the values that one slot draws. Zero is the tamest of each.
type draws struct {
	occurs bool
	kind   uint64 // which of the kinds
	at     uint64 // where in the slot, of drawSteps
	length uint64 // from ForMin to ForMax, of drawSteps
	first  uint64 // the machine that is hit in any case
	others uint64 // further machines, one bit each
	amount uint64 // how bad, of drawSteps
	way    uint64 // which of a few variants
	part   uint64 // which of the processes, 0 for all of the machine
}

const (
	drawSteps = 1 << 12
	// quietOneIn is how rarely a slot stays without a fault.
	quietOneIn = 16
	// variants is how many variants of a fault there are at most.
	variants = 4
)

type expander struct {
	s        *Scenario
	survives func(Damage) bool
	schedule []fault.Fault
	drawn    []fault.Fault // a part of the schedule
}

func (e *expander) run(choices draw.Lists) {
	n := e.s.Nemesis
	stream := func(label string) draw.Chooser { return choices(NemesisStream, label) }
	occurs, kind, at, length := stream("occurs"), stream("kind"), stream("at"), stream("length")
	first, others, amount, way := stream("first"), stream("others"), stream("amount"), stream("way")
	part := stream("process")
	machines := uint64(len(e.s.Machines))
	// Quiet slots are paid for by shorter ones, so that Every stays the mean.
	slot := max(n.Every*(quietOneIn-1)/quietOneIn, 1)
	for begin := time.Duration(0); begin < e.s.Duration; begin += slot {
		d := draws{
			occurs: occurs.Choose(quietOneIn) > 0,
			kind:   kind.Choose(uint64(len(n.Kinds))),
			at:     at.Choose(drawSteps),
			length: length.Choose(drawSteps),
			first:  first.Choose(machines),
			others: others.Choose(1 << min(machines, maskBits)),
			amount: amount.Choose(drawSteps),
			way:    way.Choose(variants),
			part:   part.Choose(uint64(len(n.Processes)) + 1),
		}
		if d.occurs {
			e.add(d, begin, slot)
		}
	}
}

// maskBits is the width of the draw for further machines; beyond it the bits repeat.
const maskBits = 32

// add puts a slot's fault into the schedule, as drawn or else with one machine only, unless
// neither is survivable.
func (e *expander) add(d draws, begin, slot time.Duration) {
	n := e.s.Nemesis
	at := begin + share(slot, d.at)
	left := e.s.Duration - at
	if left < n.ForMin {
		return
	}
	f := e.fault(n.Kinds[d.kind], d)
	f.At, f.For = at, min(n.ForMin+share(n.ForMax-n.ForMin, d.length), left)
	if !e.fits(&f) {
		d.others = 0
		tamer := e.fault(n.Kinds[d.kind], d)
		tamer.At, tamer.For = f.At, f.For
		if f = tamer; !e.fits(&f) {
			return
		}
	}
	e.schedule = append(e.schedule, f)
	e.drawn = append(e.drawn, f)
}

// share returns steps/drawSteps of a duration without overflow.
func share(of time.Duration, steps uint64) time.Duration {
	whole, rest := of/drawSteps, of%drawSteps
	return whole*time.Duration(steps) + rest*time.Duration(steps)/drawSteps
}

// fits reports whether a fault can be added to the schedule: it acts on something, conflicts with
// no other fault, and the subject survives all faults together at every instant.
func (e *expander) fits(f *fault.Fault) bool {
	if f.IsNetwork() && !e.s.affectsAnyPair(f) {
		return false
	}
	for i := range e.schedule {
		if e.s.conflict(&e.schedule[i], f) != "" {
			return false
		}
	}
	with := append(slices.Clone(e.schedule), *f)
	until := e.s.hurtsUntil(f)
	for i := range with {
		// Damage grows only where a fault begins.
		at := with[i].At
		if at < f.At || at >= until {
			continue
		}
		if at < e.s.end(f) && e.activeCount(at) >= e.s.Nemesis.AtOnce {
			return false
		}
		if doesDamage(f) && !e.survives(e.s.DamageAt(with, at)) {
			return false
		}
	}
	return true
}

// doesDamage reports whether a fault disables a machine or cuts a link.
func doesDamage(f *fault.Fault) bool {
	return disablesMachine(f.Kind) || f.IsNetwork() && (f.Kind != fault.Link || f.Loss >= fault.Always)
}

// activeCount returns the number of drawn faults that are active at an instant.
func (e *expander) activeCount(at time.Duration) int {
	count := 0
	for i := range e.drawn {
		if e.drawn[i].At <= at && at < e.s.end(&e.drawn[i]) {
			count++
		}
	}
	return count
}

// The worst that a nemesis draws.
const (
	worstLoss    = fault.Always / 4
	worstLatency = 120 * time.Millisecond
	worstSlow    = 40 * time.Millisecond
	worstStep    = time.Hour
	worstDrift   = 500 // ppm
)

// fault makes a slot's fault of a kind, but for its time.
func (e *expander) fault(kind fault.Kind, d draws) fault.Fault {
	f := fault.Fault{Kind: kind}
	hit := e.drawMachines(d)
	switch kind {
	case fault.Partition:
		f.Groups = [][]string{hit, e.otherMachines(hit)}
	case fault.Cut:
		f.From, f.To, f.OneWay = e.pair(d)
	case fault.Flap:
		f.From, f.To, f.OneWay = e.pair(d)
		f.Up = 500*time.Millisecond + share(4*time.Second, d.amount)
		f.Down = 500*time.Millisecond + share(4*time.Second, drawSteps-1-d.amount)
	case fault.Link:
		e.link(&f, d)
	case fault.DiskSlow:
		f.Machines, f.Latency = hit, time.Millisecond+share(worstSlow, d.amount)
	case fault.DiskError:
		f.Machines, f.Operation = hit[:1], []string{"write", "sync", "read", "sync"}[d.way]
	case fault.DiskFull:
		f.Machines = hit[:1]
	case fault.ClockStep:
		f.Machines, f.Step = hit, signedDraw(time.Second+share(worstStep, d.amount), d.way)
	case fault.ClockDrift:
		f.Machines, f.DriftPPM = hit, signedDraw(1+int64(d.amount)*(worstDrift-1)/drawSteps, d.way)
	case fault.Kill, fault.Pause:
		f.Machines = hit
		if d.part > 0 {
			f.Process = e.s.Nemesis.Processes[d.part-1]
		}
	default:
		f.Machines = hit
	}
	return f
}

func signedDraw[T ~int64](value T, way uint64) T {
	if way%2 == 1 {
		return -value
	}
	return value
}

func (e *expander) link(f *fault.Fault, d draws) {
	f.From, f.To = []string{e.s.Machines[d.first]}, []string{fault.All}
	ppm := 1 + fault.PPM(d.amount)*(worstLoss-1)/drawSteps
	switch d.way {
	case 0:
		f.Latency = time.Millisecond + share(worstLatency, d.amount)
		f.Jitter = f.Latency / 4
	case 1:
		f.Loss = ppm
	case 2:
		f.Duplicate, f.Reorder = ppm, ppm
	default:
		f.Loss, f.Latency, f.OneWay = ppm/4, time.Millisecond+share(worstLatency/2, d.amount), true
	}
}

// drawMachines lists the machines that a slot hits: the first, then the others drawn, never all of them.
func (e *expander) drawMachines(d draws) []string {
	all := e.s.Machines
	out := []string{all[d.first]}
	for m, name := range all {
		if d.others>>(uint(m)%maskBits)&1 == 1 && m != int(d.first) && len(out) < max(len(all)-1, 1) {
			out = append(out, name)
		}
	}
	return out
}

func (e *expander) otherMachines(hit []string) []string {
	var out []string
	for _, name := range e.s.Machines {
		if !slices.Contains(hit, name) {
			out = append(out, name)
		}
	}
	return out
}

// pair is one machine and one other: the next one, or a later one as drawn.
func (e *expander) pair(d draws) (from, to []string, oneWay bool) {
	n := len(e.s.Machines)
	if n < 2 {
		return []string{e.s.Machines[0]}, []string{e.s.Machines[0]}, false
	}
	step := 1 + int(d.others%uint64(n-1))
	other := (int(d.first) + step) % n
	return []string{e.s.Machines[d.first]}, []string{e.s.Machines[other]}, d.way%2 == 1
}
