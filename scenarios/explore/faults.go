package explore

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func machineID(index int) env.MachineID { return env.MachineID(index) }

// pattern is how the times and the victims of faults follow from each other.
type pattern int

const (
	steady pattern = iota
	hunting
	flurry
)

// Limits of the drawn faults.
const (
	maxDrawnFaults = 32
	maxAtOnce      = 3
	shortestFault  = 20 * time.Millisecond
	// longestShare is the part of the duration that the longest fault takes.
	longestShare = 3
	// maxFlurry and flurryAtOnce bound the faults of a flurry. One in everyMachineOneIn hits all machines.
	maxFlurry         = 300
	flurryAtOnce      = 4
	everyMachineOneIn = 5
	// aimedOneIn is how few faults are aimed at a role, or wait for one of the next maxDiskCall disk calls.
	aimedOneIn  = 4
	maxDiskCall = 40
	// maxMoreFaults is how many faults the strategy shift adds.
	maxMoreFaults = 3
)

// addFaults replaces the nemesis by faults of its own; the faults that the scenario lists stay.
func (e *explorer) addFaults(p pattern) {
	kinds := e.drawKinds()
	count := 1 << e.choose("count-doublings", 6) // 1 to 32
	count = min(count+e.choose("count", count), maxDrawnFaults)
	g := &generator{explorer: e, pattern: p, kinds: kinds,
		victim: e.choose("victim", len(e.scenario.Machines)), schedule: e.newSchedule(1 + e.choose("at-once",
			maxAtOnce))}
	for range count {
		g.add()
	}
	e.scenario.Faults = g.schedule.Faults()
}

// addFlurry replaces the nemesis by many faults that last from a tenth of the subject's shortest timer to its
// longest one. What the subject must survive does not bound them: its safety must hold all the same.
func (e *explorer) addFlurry() {
	perTimer := int(8 * e.scenario.Duration / max(e.timers.Longest, time.Millisecond))
	most := min(max(perTimer, 8), maxFlurry)
	g := &generator{explorer: e, pattern: flurry, kinds: e.drawKinds(),
		shortest: max(e.timers.Shortest/10, time.Millisecond), longest: e.timers.Longest,
		schedule: e.newSchedule(flurryAtOnce)}
	for range most/8 + e.choose("flurry", most-most/8) {
		g.add()
	}
	e.scenario.Faults = g.schedule.Faults()
	if e.choose("slow-network", 2) == 1 {
		slow := e.between("network", 100*time.Microsecond, max(e.timers.Shortest/10, time.Millisecond))
		e.scenario.Network.Latency = max(e.scenario.Network.Latency, slow)
		e.scenario.Network.Jitter = e.scenario.Network.Latency
	}
}

func (e *explorer) newSchedule(atOnce int) *scenarios.Schedule {
	beyond := e.severe || e.scenario.Nemesis != nil && e.scenario.Nemesis.BeyondSurvival
	return scenarios.NewSchedule(e.scenario, e.judge, atOnce, beyond, e.processes)
}

// drawKinds returns the kinds of faults of this run: each kind is in it with an even chance.
func (e *explorer) drawKinds() []fault.Kind {
	all := drawable(fault.Kinds())
	if len(e.scenario.Machines) < 2 {
		all = slices.DeleteFunc(all, func(k fault.Kind) bool {
			f := fault.Fault{Kind: k}
			return f.IsNetwork()
		})
	}
	var kinds []fault.Kind
	for _, k := range all {
		if e.choose("has-"+string(k), 2) == 1 {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		kinds = append(kinds, all[e.choose("only-kind", len(all))])
	}
	return kinds
}

// generator draws one fault after the other.
type generator struct {
	*explorer
	pattern  pattern
	kinds    []fault.Kind
	schedule *scenarios.Schedule
	victim   int
	// shortest and longest bound the lengths; zeros stand for those that fit the scenario.
	shortest, longest time.Duration
}

// add draws a fault and adds it, with fewer machines if it would do too much damage.
func (g *generator) add() {
	at := fraction(g.scenario.Duration, uint64(g.choose("at", scenarios.SeveritySteps)))
	shortest, longest := shortestFault, max(g.scenario.Duration/longestShare, shortestFault)
	if g.longest > 0 {
		shortest, longest = g.shortest, g.longest
	}
	length := g.between("length", shortest, longest)
	length = min(length, g.scenario.Duration-at)
	kind := g.kinds[g.choose("kind", len(g.kinds))]
	d := g.drawFault()
	for _, others := range []uint64{d.OtherMachines, 0} {
		d.OtherMachines = others
		f := g.schedule.Draw(kind, d)
		f.At, f.For = at, length
		if g.pattern == flurry && kind == fault.Link {
			g.mixLinkEffects(&f)
		}
		if g.pattern == flurry && g.choose("everyone", everyMachineOneIn) == 1 {
			hitEveryMachine(&f)
		}
		g.aim(&f)
		if g.schedule.Add(f) {
			break
		}
	}
}

// aim makes some faults hit the machine that has a role by then, and some wait for a disk call.
func (g *generator) aim(f *fault.Fault) {
	_, may := fault.Fields(f.Kind)
	if len(g.roles) > 0 && len(f.Machines) == 1 && slices.Contains(may, "role") &&
		g.choose("aimed", aimedOneIn) == 1 {
		f.Machines, f.Role = nil, g.roles[g.choose("role", len(g.roles))]
	}
	if slices.Contains(may, "at_disk_call") && g.choose("at-disk-call", aimedOneIn) == 1 {
		f.AtDiskCall = 1 + g.choose("disk-call", maxDiskCall)
	}
}

// mixLinkEffects gives a bad link several effects at once: packets that are late by about a timer, overtake
// each other, arrive twice and get lost.
func (g *generator) mixLinkEffects(f *fault.Fault) {
	f.Latency = g.between("link-latency", time.Millisecond, max(g.timers.Shortest, 2*time.Millisecond))
	f.Jitter = f.Latency
	f.Duplicate = g.share("link-duplicate", fault.Always/2)
	f.Reorder = g.share("link-reorder", fault.Always/2)
	f.Loss = g.share("link-loss", fault.Always/8)
}

// hitEveryMachine makes a fault of machines hit all of them, and a bad link be all links.
func hitEveryMachine(f *fault.Fault) {
	switch {
	case len(f.Machines) > 0:
		f.Machines = []string{fault.All}
	case f.Kind == fault.Link:
		f.From, f.To = []string{fault.All}, []string{fault.All}
	}
}

// drawFault draws what a fault hits and how hard.
func (g *generator) drawFault() scenarios.FaultDraws {
	machines := len(g.scenario.Machines)
	d := scenarios.FaultDraws{Machine: uint64(g.choose("machine", machines)),
		OtherMachines: uint64(g.choose("others", 1<<min(machines, 30))),
		Severity:      uint64(g.choose("severity", scenarios.SeveritySteps)),
		Variant:       uint64(g.choose("variant", 4)),
		Process:       uint64(g.choose("process", len(g.processes)+1))}
	if g.choose("one-machine", 2) == 1 {
		d.OtherMachines = 0
	}
	if g.pattern == hunting {
		if g.choose("other-victim", 8) == 1 {
			g.victim = int(d.Machine)
		}
		d.Machine = uint64(g.victim)
	}
	return d
}

// shiftFaults moves the scenario's own faults in time, gives them other lengths and machines, and adds a
// few. Without faults of its own it adds faults only.
func (e *explorer) shiftFaults() {
	own := e.scenario.Faults
	e.scenario.Faults = nil
	turn := e.choose("turn", len(e.scenario.Machines))
	schedule := e.newSchedule(scenarios.MaxFaults)
	for i := range own {
		f := e.turnMachines(own[i], turn)
		if f.Kind == fault.PowerOn {
			schedule.Add(own[i]) // it belongs to what the story switches off
			continue
		}
		if e.choose("leave-out", 8) == 1 {
			continue
		}
		f.At, f.For = e.shiftTime(f.At), e.scaleLength(f.For)
		f.At = min(f.At, e.scenario.Duration-1)
		f.For = min(f.For, e.scenario.Duration-f.At)
		if !schedule.Add(f) {
			schedule.Add(own[i])
		}
	}
	e.scenario.Faults = schedule.Faults()
	g := &generator{explorer: e, pattern: steady, kinds: e.drawKinds(),
		schedule: e.newSchedule(maxAtOnce)}
	for range e.choose("more", maxMoreFaults+1) {
		g.add()
	}
	e.scenario.Faults = g.schedule.Faults()
}

// shiftTime moves a time by up to half of itself or the rest of the duration, often by little.
func (e *explorer) shiftTime(at time.Duration) time.Duration {
	shift := e.between("shift", time.Millisecond, max(e.scenario.Duration/4, 2*time.Millisecond))
	if e.choose("earlier", 2) == 1 {
		return max(at-shift, 0)
	}
	return at + shift
}

// scaleLength makes a length between a quarter and four times of what it is, or leaves it.
func (e *explorer) scaleLength(length time.Duration) time.Duration {
	switch e.choose("scale", 3) {
	case 1:
		return length/4 + fraction(length/4*3, uint64(e.choose("scale-down", scenarios.SeveritySteps)))
	case 2:
		return length + fraction(3*length, uint64(e.choose("scale-up", scenarios.SeveritySteps)))
	}
	return length
}

// turnMachines replaces every machine by another one, so many places behind it.
func (e *explorer) turnMachines(f fault.Fault, turn int) fault.Fault {
	rename := func(names []string) []string {
		var out []string
		for _, name := range names {
			if i := slices.Index(e.scenario.Machines, name); i >= 0 {
				name = e.scenario.Machines[(i+turn)%len(e.scenario.Machines)]
			}
			out = append(out, name)
		}
		return out
	}
	f.From, f.To, f.Machines = rename(f.From), rename(f.To), rename(f.Machines)
	f.Groups = slices.Clone(f.Groups)
	for i, group := range f.Groups {
		f.Groups[i] = rename(group)
	}
	return f
}
