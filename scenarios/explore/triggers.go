package explore

import (
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Limits of the faults that wait for triggers.
const (
	maxTriggerKinds    = 24 // in one run
	leastTriggered     = 16 // faults of one run
	triggeredDoublings = 4  // up to 128 of them
	maxOccasions       = 60
	maxEarlyNth        = 4
	maxLateNth         = 40
	leastTriggerWait   = 10 * time.Microsecond
)

// addTriggered replaces the nemesis by faults that begin at what processes record, or right after it: a
// process ends, a machine is cut off or stands still in the middle of what it does. Each run draws some of
// the records and probes of the subject, and some kinds of faults. What the subject must survive does not
// bound it.
func (d *disturber) addTriggered() {
	s := d.scenario
	var triggers []string
	for range 1 + d.choose("triggers", maxTriggerKinds) {
		triggers = append(triggers, d.chooseTrigger())
	}
	ways := d.triggeredWays()
	for range leastTriggered << d.choose("triggered-doublings", triggeredDoublings) {
		f := fault.Fault{Kind: ways[d.choose("triggered-way", len(ways))], Nth: d.chooseNth(),
			At:      fraction(s.Duration, uint64(d.choose("wait-from", scenarios.SeveritySteps))),
			Trigger: triggers[d.choose("which-trigger", len(triggers))]}
		if d.choose("delayed", 2) == 1 {
			f.Delay = d.between("trigger-delay", leastTriggerWait, d.timers.Longest)
		}
		f.For = d.between("triggered-length", d.timers.Shortest/10, min(2*d.timers.Longest, s.Duration-f.At))
		d.aimTriggered(&f)
		d.schedule.Add(f)
	}
	d.addOccasions()
	if d.choose("trigger-network", 2) == 1 {
		d.slowNetwork()
	}
}

// chooseTrigger draws a kind of record, or a probe: most runs reach few of those.
func (d *disturber) chooseTrigger() string {
	if len(d.probes) > 0 && d.choose("probe", 8) == 1 {
		return d.probes[d.choose("which-probe", len(d.probes))]
	}
	return d.records[d.choose("record", len(d.records))]
}

// addOccasions adds faults at any time: where nothing happens, most triggers never come.
func (d *disturber) addOccasions() {
	switch d.choose("occasion", 3) {
	case 1:
		d.followRole()
		return
	case 2:
		d.addRestarts(0, d.scenario.Duration, d.scenario.Machines)
		return
	}
	g := &generator{explorer: d.explorer, pattern: flurry, kinds: d.drawKinds(), schedule: d.schedule,
		shortest: max(d.timers.Shortest/10, 1), longest: 2 * d.timers.Longest}
	for range 1 + d.choose("occasions", maxOccasions) {
		g.add()
	}
}

// chooseNth draws how often a trigger must come: mostly a few times.
func (d *disturber) chooseNth() int {
	if d.choose("late-trigger", 4) == 1 {
		return 1 + d.choose("late-nth", maxLateNth)
	}
	return 1 + d.choose("early-nth", maxEarlyNth)
}

// triggeredWays returns the kinds of faults of this run that triggers begin.
func (d *disturber) triggeredWays() []fault.Kind {
	all := []fault.Kind{fault.Partition, fault.Kill, fault.Pause, fault.PowerCut, fault.Clog, fault.Cut,
		fault.DiskStall, fault.Link}
	var ways []fault.Kind
	for range 1 + d.choose("triggered-ways", 3) {
		ways = append(ways, all[d.choose("triggered-kind", len(all))])
	}
	return ways
}

// aimTriggered draws whom a fault hits: in most cases the machine that has triggered it.
func (d *disturber) aimTriggered(f *fault.Fault) {
	s := d.scenario
	victim := s.Machines[d.choose("victim", len(s.Machines))]
	switch d.choose("aim", 5) {
	case 0:
	case 1:
		f.Role = d.chooseRole()
	default:
		f.Role = fault.RoleTriggering
	}
	if f.IsNetwork() && f.Kind != fault.Partition {
		f.To = []string{fault.All}
		if d.choose("one-other", 3) == 1 {
			f.To = []string{s.Machines[d.choose("other", len(s.Machines))]}
		}
		f.OneWay = d.choose("one-way", 2) == 1
	}
	if f.Kind == fault.Link {
		f.Loss = d.share("triggered-loss", fault.Always)
		f.Latency = d.between("triggered-latency", time.Millisecond, min(d.timers.Shortest, maxLinkLatency))
	}
	if f.Kind == fault.Kill || f.Kind == fault.Pause {
		f.Process = d.chooseProcess()
	}
	if f.Role != "" {
		return
	}
	switch fault.RoleKey(f.Kind) {
	case "groups":
		f.Groups = [][]string{{victim}}
	case "from":
		f.From = []string{victim}
	default:
		f.Machines = []string{victim}
	}
}

// chooseProcess draws one process that all machines have, or all processes of the machine.
func (d *disturber) chooseProcess() string {
	if len(d.processes) == 0 || d.choose("all-processes", 2) == 1 {
		return ""
	}
	return d.processes[d.choose("process", len(d.processes))]
}
