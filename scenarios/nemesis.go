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
	if s = s.WithTimers(DefaultTimers); s.Nemesis != nil {
		survives := MajoritySurvives
		switch {
		case s.Nemesis.BeyondSurvival:
			survives = nil
		case judge != nil:
			survives = judge.Survives
		}
		e := expander{scenario: s, survives: survives, schedule: schedule}
		e.expandSlots(choices)
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

// slotDraws are the values that one slot draws. Zero is the tamest of each.
type slotDraws struct {
	occurs           bool
	kindIndex        uint64 // which of the kinds
	beginStep        uint64 // where in the slot, of drawSteps
	lengthStep       uint64 // from ForMin to ForMax, of drawSteps
	firstMachine     uint64 // the machine that is hit in any case
	otherMachineBits uint64 // further machines, one bit each
	severityStep     uint64 // how bad, of drawSteps
	variant          uint64 // which of a few variants
	processIndex     uint64 // which of the processes, 0 for all of the machine
	roleIndex        uint64 // which of the roles, 0 for the machines drawn
	diskCall         uint64 // at which disk call, 0 for at once
	swizzle          []swizzleDraws
}

// swizzleDraws are what a slot draws for one machine of a swizzle.
type swizzleDraws struct {
	takesPart          bool
	beginStep, endStep uint64 // of drawSteps
	direction          uint64
}

const (
	drawResolution = 1 << 12
	// quietSlotOneIn is how rarely a slot stays without a fault.
	quietSlotOneIn = 16
	// variantCount is how many variants of a fault there are at most.
	variantCount = 4
)

type expander struct {
	scenario   *Scenario
	survives   func(Damage) bool // nil: whatever the damage
	schedule   []fault.Fault
	slotFaults []fault.Fault // a part of the schedule
}

func (e *expander) expandSlots(choices draw.Lists) {
	n := e.scenario.Nemesis
	stream := func(label string) draw.Chooser { return choices(NemesisStream, label) }
	occurs, kind, at, length := stream("occurs"), stream("kind"), stream("at"), stream("length")
	first, others, amount, way := stream("first"), stream("others"), stream("amount"), stream("way")
	part, more := stream("process"), e.moreDraws(stream)
	machines := uint64(len(e.scenario.Machines))
	slot := n.Slot()
	for begin := time.Duration(0); begin < e.scenario.Duration; begin += slot {
		d := slotDraws{
			occurs:           occurs.Choose(quietSlotOneIn) > 0,
			kindIndex:        kind.Choose(uint64(len(n.Kinds))),
			beginStep:        at.Choose(drawResolution),
			lengthStep:       length.Choose(drawResolution),
			firstMachine:     first.Choose(machines),
			otherMachineBits: others.Choose(1 << min(machines, maskBits)),
			severityStep:     amount.Choose(drawResolution),
			variant:          way.Choose(variantCount),
			processIndex:     part.Choose(uint64(len(n.Processes)) + 1),
		}
		more(&d)
		if d.occurs {
			e.addFault(d, begin, slot)
		}
	}
}

// Slot returns how long a slot is, in which one fault is drawn. Quiet slots are paid for by shorter ones, so
// that Every stays the mean.
func (n *Nemesis) Slot() time.Duration { return max(n.Every*(quietSlotOneIn-1)/quietSlotOneIn, 1) }

// moreDraws returns what draws the values of a slot that only some scenarios need. The others do not draw
// them, so that what is added here shifts nothing there.
func (e *expander) moreDraws(stream func(label string) draw.Chooser) func(*slotDraws) {
	n := e.scenario.Nemesis
	var role, call, swizzle draw.Chooser
	if len(n.Roles) > 0 {
		role = stream("role")
	}
	if n.DiskCalls > 0 {
		call = stream("call")
	}
	if slices.Contains(n.Kinds, fault.Clog) {
		swizzle = stream("swizzle")
	}
	return func(d *slotDraws) {
		if role != nil {
			d.roleIndex = role.Choose(uint64(len(n.Roles)) + 1)
		}
		if call != nil {
			d.diskCall = call.Choose(uint64(n.DiskCalls) + 1)
		}
		if swizzle == nil {
			return
		}
		for range e.scenario.Machines {
			d.swizzle = append(d.swizzle, swizzleDraws{swizzle.Choose(2) == 1,
				swizzle.Choose(drawResolution), swizzle.Choose(drawResolution), swizzle.Choose(3)})
		}
	}
}

// maskBits is the width of the draw for further machines; beyond it the bits repeat.
const maskBits = 32

// addFault puts a slot's fault into the schedule, as drawn or else with one machine only, unless
// neither is survivable.
func (e *expander) addFault(d slotDraws, begin, slot time.Duration) {
	n := e.scenario.Nemesis
	at := begin + fractionOf(slot, d.beginStep)
	left := e.scenario.Duration - at
	if left < n.ForMin {
		return
	}
	f := e.makeFault(n.Kinds[d.kindIndex], d)
	f.At, f.For = at, min(n.lengthOf(d.lengthStep), left)
	if f.Kind == fault.Clog && d.variant == swizzleVariant {
		e.addSwizzle(&f, d)
		return
	}
	if !e.canAdd(&f) {
		d.otherMachineBits = 0
		tamer := e.makeFault(n.Kinds[d.kindIndex], d)
		tamer.At, tamer.For = f.At, f.For
		if f = tamer; !e.canAdd(&f) {
			return
		}
	}
	e.schedule = append(e.schedule, f)
	e.slotFaults = append(e.slotFaults, f)
}

// fractionOf returns steps/drawSteps of a duration without overflow.
func fractionOf(of time.Duration, steps uint64) time.Duration {
	whole, rest := of/drawResolution, of%drawResolution
	return whole*time.Duration(steps) + rest*time.Duration(steps)/drawResolution
}

// canAdd reports whether a fault can be added to the schedule: it acts on something, conflicts with
// no other fault, and the subject survives all faults together at every instant.
func (e *expander) canAdd(f *fault.Fault) bool {
	if !e.isPossible(f) {
		return false
	}
	with := append(slices.Clone(e.schedule), *f)
	until := e.scenario.damageEnd(f)
	for i := range with {
		// Damage grows only where a fault begins.
		at := with[i].At
		if at < f.At || at >= until {
			continue
		}
		if at < f.LatestEnd(e.scenario.Duration) && e.activeCount(at) >= e.scenario.Nemesis.AtOnce {
			return false
		}
		if e.survives != nil && doesDamage(f) && !e.survivesWorst(with, at) {
			return false
		}
	}
	return true
}

// isPossible reports whether a fault acts on something and conflicts with no other.
func (e *expander) isPossible(f *fault.Fault) bool {
	if f.IsNetwork() && !e.scenario.affectsAnyPair(f) {
		return false
	}
	return !slices.ContainsFunc(e.schedule, func(other fault.Fault) bool {
		return fault.Conflict(&other, f, e.scenario.Machines, e.scenario.Duration) != ""
	})
}

// maxAims limits the cases that survivesWorst looks at. Real schedules have a handful.
const maxAims = 1 << 12

// survivesWorst reports whether the subject survives a schedule at an instant, whichever machines the faults
// hit that are aimed at roles.
func (e *expander) survivesWorst(schedule []fault.Fault, at time.Duration) bool {
	s := e.scenario
	var aimed []int
	cases := 1
	for i := range schedule {
		f := &schedule[i]
		if f.IsAimed() && f.At <= at && at < s.damageEnd(f) {
			aimed = append(aimed, i)
			if cases *= len(s.Machines); cases > maxAims {
				return false
			}
		}
	}
	if len(aimed) == 0 {
		return e.survives(s.DamageAt(schedule, at))
	}
	for number := range cases {
		hit := slices.Clone(schedule)
		for _, i := range aimed {
			hit[i] = schedule[i].AimedAt(s.Machines[number%len(s.Machines)])
			number /= len(s.Machines)
		}
		if !e.survives(s.DamageAt(hit, at)) {
			return false
		}
	}
	return true
}

// doesDamage reports whether a fault disables a machine or cuts a link.
func doesDamage(f *fault.Fault) bool {
	switch f.Kind {
	case fault.Link:
		return f.Loss >= fault.Always
	case fault.Corrupt:
		return f.Share >= fault.Always
	}
	return disablesMachine(f.Kind) || f.IsNetwork()
}

// activeCount returns the number of drawn faults that are active at an instant.
func (e *expander) activeCount(at time.Duration) int {
	count := 0
	for i := range e.slotFaults {
		if e.slotFaults[i].At <= at && at < e.slotFaults[i].LatestEnd(e.scenario.Duration) {
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
	// The step of a slow process takes up to worstStepLatency longer, or up to worstTimes as long.
	worstStepLatency = 60 * time.Millisecond
	worstTimes       = 20_000
	// A clogged line passes worstBandwidth to bestBandwidth bytes a second.
	worstBandwidth = 1 << 10
	bestBandwidth  = 256 << 10
	worstMTU       = 200
	bestMTU        = 1400
	worstRot       = 256 // bits
	worstBuggify   = fault.Always / 2
)

// makeFault makes a slot's fault of a kind, but for its time.
func (e *expander) makeFault(kind fault.Kind, d slotDraws) fault.Fault {
	f := fault.Fault{Kind: kind}
	hit := e.drawMachines(d)
	switch kind {
	case fault.Partition:
		f.Groups = [][]string{hit, e.otherMachines(hit)}
	case fault.Cut:
		f.From, f.To, f.OneWay = e.drawPair(d)
	case fault.Flap:
		f.From, f.To, f.OneWay = e.drawPair(d)
		f.Up = 500*time.Millisecond + fractionOf(4*time.Second, d.severityStep)
		f.Down = 500*time.Millisecond + fractionOf(4*time.Second, drawResolution-1-d.severityStep)
	case fault.Link:
		e.degradeLinks(&f, d)
	case fault.DiskSlow:
		f.Machines, f.Latency = hit, time.Millisecond+fractionOf(worstSlow, d.severityStep)
	case fault.DiskError:
		f.Machines, f.Operation = hit[:1], []string{"write", "sync", "read", "sync"}[d.variant]
	case fault.DiskFull:
		f.Machines = hit[:1]
	case fault.ClockStep:
		f.Machines, f.Step = hit, signedDraw(time.Second+fractionOf(worstStep, d.severityStep), d.variant)
	case fault.ClockDrift:
		f.Machines, f.DriftPPM = hit, signedDraw(1+int64(d.severityStep)*(worstDrift-1)/drawResolution,
			d.variant)
	case fault.Kill, fault.Pause, fault.Slow:
		f.Machines = hit
		if d.processIndex > 0 {
			f.Process = e.scenario.Nemesis.Processes[d.processIndex-1]
		}
		if kind == fault.Slow {
			slowDown(&f, d)
		}
	case fault.Clog, fault.Bandwidth, fault.MTU, fault.Corrupt:
		e.limitLinks(&f, d)
	case fault.DiskCorrupt, fault.DiskLatent, fault.DiskLostWrite, fault.DiskMisdirect:
		f.Machines = hit[:1]
		if kind == fault.DiskCorrupt {
			f.Bits = 1 + int(d.severityStep)*(worstRot-1)/drawResolution
		}
	case fault.Buggify:
		f.Machines, f.Share = hit, 1+fault.PPM(d.severityStep)*(worstBuggify-1)/drawResolution
	default:
		f.Machines = hit
	}
	e.aimFault(&f, d)
	return f
}

// aimFault makes a fault act at a disk call, and on the machine that has a role, where these are drawn.
func (e *expander) aimFault(f *fault.Fault, d slotDraws) {
	switch f.Kind {
	case fault.Kill, fault.PowerCut:
		f.AtDiskCall = int(d.diskCall)
		f.AfterCall = d.diskCall > 0 && d.variant%2 == 1
	case fault.DiskError:
		f.AtDiskCall = int(d.diskCall)
	}
	if d.roleIndex == 0 {
		return
	}
	f.Role = e.scenario.Nemesis.Roles[d.roleIndex-1]
	switch fault.RoleKey(f.Kind) {
	case "groups":
		f.Groups = nil
	case "from":
		f.From, f.To = nil, []string{fault.All}
	default:
		f.Machines = nil
	}
}

func slowDown(f *fault.Fault, d slotDraws) {
	if d.variant%2 == 0 {
		f.Latency = time.Millisecond + fractionOf(worstStepLatency, d.severityStep)
		return
	}
	f.Times = 2 + int64(d.severityStep)*(worstTimes-2)/drawResolution
}

// limitLinks clogs or limits what a machine sends and receives, or what it exchanges with one other.
func (e *expander) limitLinks(f *fault.Fault, d slotDraws) {
	switch f.From, f.To, f.OneWay = e.drawPair(d); d.variant {
	case 0:
		f.OneWay = false
	case 1:
		f.To = []string{fault.All}
	case 2:
		f.From, f.To, f.OneWay = []string{fault.All}, f.From, true
	}
	step := int64(drawResolution - 1 - d.severityStep) // the worst is the smallest
	switch f.Kind {
	case fault.Bandwidth:
		f.BytesPerSecond = worstBandwidth + step*step*(bestBandwidth-worstBandwidth)/(drawResolution*
			drawResolution)
	case fault.MTU:
		f.MTUBytes = worstMTU + int(step)*(bestMTU-worstMTU)/drawResolution
	case fault.Corrupt:
		f.Share = 1 + fault.PPM(d.severityStep)*(worstLoss-1)/drawResolution
	}
}

// swizzleVariant is the variant of a clog that clogs several machines one after the other.
const swizzleVariant = 3

// addSwizzle clogs several machines, each from an instant of the first half of a time to one of the second,
// so that they come back in another order than they went. Those that the subject cannot do without are left
// out.
func (e *expander) addSwizzle(f *fault.Fault, d slotDraws) {
	for m, name := range e.scenario.Machines {
		one := d.swizzle[m]
		if !one.takesPart && m != int(d.firstMachine) {
			continue
		}
		clog := fault.Fault{Kind: fault.Clog, From: []string{name}, To: []string{fault.All}}
		switch one.direction {
		case 1:
			clog.OneWay = true
		case 2:
			clog.From, clog.To, clog.OneWay = clog.To, clog.From, true
		}
		half := f.For / 2
		begin := fractionOf(half, one.beginStep)
		clog.At, clog.For = f.At+begin, max(half-begin+fractionOf(half, one.endStep), 1)
		if e.canAdd(&clog) {
			e.schedule = append(e.schedule, clog)
		}
	}
	e.slotFaults = append(e.slotFaults, *f) // the swizzle counts as one
}

func signedDraw[T ~int64](value T, way uint64) T {
	if way%2 == 1 {
		return -value
	}
	return value
}

func (e *expander) degradeLinks(f *fault.Fault, d slotDraws) {
	f.From, f.To = []string{e.scenario.Machines[d.firstMachine]}, []string{fault.All}
	ppm := 1 + fault.PPM(d.severityStep)*(worstLoss-1)/drawResolution
	switch d.variant {
	case 0:
		f.Latency = time.Millisecond + fractionOf(worstLatency, d.severityStep)
		f.Jitter = f.Latency / 4
	case 1:
		f.Loss = ppm
	case 2:
		f.Duplicate, f.Reorder = ppm, ppm
	default:
		f.Loss, f.Latency, f.OneWay = ppm/4, time.Millisecond+fractionOf(worstLatency/2, d.severityStep), true
	}
}

// drawMachines lists the machines that a slot hits: the first, then the others drawn, never all of them.
func (e *expander) drawMachines(d slotDraws) []string {
	all := e.scenario.Machines
	out := []string{all[d.firstMachine]}
	for m, name := range all {
		if d.otherMachineBits>>(uint(m)%maskBits)&1 == 1 && m != int(d.firstMachine) &&
			len(out) < max(len(all)-1, 1) {
			out = append(out, name)
		}
	}
	return out
}

func (e *expander) otherMachines(hit []string) []string {
	var out []string
	for _, name := range e.scenario.Machines {
		if !slices.Contains(hit, name) {
			out = append(out, name)
		}
	}
	return out
}

// drawPair is one machine and one other: the next one, or a later one as drawn.
func (e *expander) drawPair(d slotDraws) (from, to []string, oneWay bool) {
	n := len(e.scenario.Machines)
	if n < 2 {
		return []string{e.scenario.Machines[0]}, []string{e.scenario.Machines[0]}, false
	}
	step := 1 + int(d.otherMachineBits%uint64(n-1))
	other := (int(d.firstMachine) + step) % n
	return []string{e.scenario.Machines[d.firstMachine]}, []string{e.scenario.Machines[other]},
		d.variant%2 == 1
}
