package explore

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Limits of a churn.
const (
	maxParts    = 8
	maxRestarts = 200
)

// disturber adds faults that may exceed what the subject must survive.
type disturber struct {
	*explorer
	schedule *scenarios.Schedule
}

// disturbing returns the change of a strategy that disturbs a subject: its faults replace the nemesis.
func disturbing(add func(d *disturber)) func(*explorer) {
	return func(e *explorer) {
		e.spreads = true
		d := &disturber{e, e.newSchedule(scenarios.MaxFaults)}
		add(d)
		e.scenario.Faults = d.schedule.Faults()
	}
}

// addChurn replaces the nemesis by faults that follow a role: the machine that gets it is disturbed, again
// and again. In many runs other machines restart meanwhile, and messages are late, overtake each other and
// come twice. What the subject must survive does not bound it: its safety must hold all the same.
func (d *disturber) addChurn() {
	s := d.scenario
	d.followRole()
	if d.choose("restarts", 2) == 1 {
		d.addRestarts(0, s.Duration, s.Machines)
	}
	d.slowNetwork()
}

// followRole divides the run into parts. In each of them another fault follows the role of the run.
func (d *disturber) followRole() {
	s := d.scenario
	ways := d.churnWays()
	role := d.chooseRole()
	parts := 1 + d.choose("parts", maxParts)
	for part := range parts {
		length := max(s.Duration/time.Duration(parts), 1)
		f := fault.Fault{Kind: ways[d.choose("way", len(ways))], At: length * time.Duration(part), Role: role}
		f.For = length - fraction(length/2, uint64(d.choose("calm", scenarios.SeveritySteps)))
		f.Follow = max(d.between("follow", d.timers.Shortest/20, d.timers.Longest), fault.MinFollow)
		if f.Kind == fault.Clog || f.Kind == fault.Cut {
			f.To = []string{fault.All}
			f.OneWay = d.choose("one-way", 2) == 1
		}
		d.schedule.Add(f)
	}
}

// chooseRole draws a role. Those that only some subjects have come more often than [scenarios.RoleServing].
func (d *disturber) chooseRole() string {
	own := slices.DeleteFunc(slices.Clone(d.roles), func(r string) bool { return r == scenarios.RoleServing })
	if len(own) == 0 || d.choose("serving", 4) == 1 {
		return scenarios.RoleServing
	}
	return own[d.choose("role", len(own))]
}

// churnWays returns the kinds of faults of this run that follow the role.
func (d *disturber) churnWays() []fault.Kind {
	all := []fault.Kind{fault.Partition, fault.Kill, fault.Pause, fault.PowerCut, fault.Clog, fault.Cut}
	var ways []fault.Kind
	for _, w := range all {
		if d.choose("has-"+string(w), 3) == 1 {
			ways = append(ways, w)
		}
	}
	if len(ways) == 0 {
		ways = append(ways, all[d.choose("only-way", len(all))])
	}
	return ways
}

// addRestarts lets processes or machines restart from one time to another, at a pace of the subject's timers.
func (d *disturber) addRestarts(from, to time.Duration, victims []string) {
	kind := []fault.Kind{fault.Kill, fault.PowerCut}[d.choose("restart-kind", 2)]
	pace := max(d.between("restart-pace", d.timers.Shortest, 4*d.timers.Longest),
		d.scenario.Duration/maxRestarts, 1)
	for at := from; ; {
		at += pace/2 + fraction(pace, uint64(d.choose("restart-at", scenarios.SeveritySteps)))
		length := d.between("restart-length", time.Millisecond, max(d.timers.Shortest, 2*time.Millisecond))
		if at+length > to {
			return
		}
		victim := victims[d.choose("restarted", len(victims))]
		d.schedule.Add(fault.Fault{Kind: kind, At: at, For: length, Machines: []string{victim}})
	}
}

// addBridges replaces the nemesis by parts in which one machine reaches all others and these do not reach
// each other, while that machine restarts.
func (d *disturber) addBridges() {
	s := d.scenario
	parts := 1 + d.choose("parts", maxParts)
	for part := range parts {
		length := max(s.Duration/time.Duration(parts), 1)
		from := length * time.Duration(part)
		length -= fraction(length/2, uint64(d.choose("calm", scenarios.SeveritySteps)))
		bridge := s.Machines[d.choose("bridge", len(s.Machines))]
		d.cutOthers(bridge, from, length)
		victims := []string{bridge}
		if d.choose("any-victim", 4) == 1 {
			victims = s.Machines
		}
		d.addRestarts(from, from+length, victims)
	}
	d.slowNetwork()
}

// cutOthers cuts the links between all machines but one.
func (d *disturber) cutOthers(bridge string, from, length time.Duration) {
	others := slices.DeleteFunc(slices.Clone(d.scenario.Machines), func(m string) bool { return m == bridge })
	for i := 1; i < len(others); i++ {
		d.schedule.Add(fault.Fault{Kind: fault.Cut, At: from, For: length, From: others[i : i+1],
			To: others[:i], OneWay: d.choose("one-way", 4) == 1})
	}
}

// Limits of slow links. A nemesis draws no slower ones, so every subject must work with them.
const (
	maxLinkLatency = 40 * time.Millisecond
	maxLinkJitter  = 120 * time.Millisecond
)

// slowNetwork makes messages late in some parts of many runs, by up to the subject's timers, and lets some of
// them overtake each other and come twice.
func (d *disturber) slowNetwork() {
	s := d.scenario
	if len(s.Machines) < 2 || d.choose("slow-network", 2) == 0 {
		return
	}
	disorder := d.choose("disorder", 3)
	parts := 1 + d.choose("slow-parts", maxParts)
	for part := range parts {
		length := max(s.Duration/time.Duration(parts), 1)
		f := fault.Fault{Kind: fault.Link, At: length * time.Duration(part), From: []string{fault.All},
			To: []string{fault.All}}
		f.For = length - fraction(length, uint64(d.choose("fast", scenarios.SeveritySteps)))
		f.Latency = d.between("link-latency", time.Millisecond, min(d.timers.Shortest, maxLinkLatency))
		f.Jitter = f.Latency
		if disorder > 0 {
			f.Jitter = d.between("link-jitter", time.Millisecond, min(d.timers.Longest, maxLinkJitter))
			f.Duplicate = d.share("link-duplicate", fault.Always/2)
			f.Reorder = d.share("link-reorder", fault.Always/2)
		}
		d.schedule.Add(f)
	}
}
