package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Overlaps are the instants at which a service begins to run on one machine while it runs on another.
// machines are the names by id.
func Overlaps(intervals []Interval, machines []string) (violations []linearizability.Violation) {
	sorted := slices.Clone(intervals)
	slices.SortStableFunc(sorted, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.From, b.From))
	})
	for i, a := range sorted {
		for _, b := range sorted[i+1:] {
			if b.Service != a.Service {
				break
			}
			if b.From >= a.To || a.Machine == b.Machine {
				continue
			}
			violations = append(violations, linearizability.Violation{Kind: linearizability.DoubleRun,
				Explain: fmt.Sprintf("at %v service %s begins to run on %s while it runs on %s",
					b.From, b.Service, machines[b.Machine], machines[a.Machine])})
		}
	}
	return violations
}

// Powerless finds services that show life on machines without power. Another machine may start them at
// any moment, so each is a violation whether or not one has done so yet.
type Powerless struct {
	machines       []string
	poweredOffBy   map[env.MachineID]scenarios.Stamped // the Power record by which a machine went off
	reportedPlaces map[serviceOnMachine]bool           // since power last changed anywhere
	violations     []linearizability.Violation
}

// NewPowerless makes one for the machines of these names, by id.
func NewPowerless(machines []string) *Powerless {
	return &Powerless{machines: machines, poweredOffBy: map[env.MachineID]scenarios.Stamped{},
		reportedPlaces: map[serviceOnMachine]bool{}}
}

// OnPower must be called with each record of a machine's power.
func (p *Powerless) OnPower(r scenarios.Stamped, power scenarios.Power) {
	delete(p.poweredOffBy, r.Machine)
	clear(p.reportedPlaces)
	if !power.On {
		p.poweredOffBy[r.Machine] = r
	}
}

// OnLife must be called when a record shows that a service runs on the record's machine.
func (p *Powerless) OnLife(r scenarios.Stamped, service string) {
	since, off := p.poweredOffBy[r.Machine]
	at := serviceOnMachine{service, r.Machine}
	if !off || p.reportedPlaces[at] {
		return
	}
	p.reportedPlaces[at] = true
	p.violations = append(p.violations, linearizability.Violation{Kind: linearizability.DoubleRun,
		Explain: fmt.Sprintf("at %v service %s shows life on %s, which was switched off at %v by a %s", r.At,
			service, p.machines[r.Machine], since.At, since.Record.(scenarios.Power).Cause)})
}

// Violations returns the violations in the order of the records.
func (p *Powerless) Violations() []linearizability.Violation { return p.violations }

// Exclusion is the check that a service runs on at most one machine at any instant, for subjects whose
// records show when a service starts and stops. A machine that loses power ends all its services.
type Exclusion struct {
	name        string
	machines    []string
	readRunning func(scenarios.Stamped) (service string, running, concerns bool)
	intervals   *Intervals
	powerless   *Powerless
}

// NewExclusion makes the check. read returns what a record shows: which service runs, or no longer runs, on
// the record's machine. It returns false for records that concern no service.
func NewExclusion(name string, machines []string,
	read func(scenarios.Stamped) (service string, running, concerns bool)) *Exclusion {
	return &Exclusion{name: name, machines: machines, readRunning: read,
		intervals: NewIntervals(len(machines)),
		powerless: NewPowerless(machines)}
}

// Name implements Check.
func (x *Exclusion) Name() string { return x.name }

// Observe implements Observer.
func (x *Exclusion) Observe(r scenarios.Stamped) {
	if power, is := r.Record.(scenarios.Power); is {
		x.powerless.OnPower(r, power)
		if !power.On {
			x.intervals.EndAll(r.Machine, r.At)
		}
		return
	}
	service, running, concerns := x.readRunning(r)
	if !concerns {
		return
	}
	if running {
		x.powerless.OnLife(r, service)
	}
	x.intervals.Set(service, r.Machine, r.At, running)
}

// Judge implements Check.
func (x *Exclusion) Judge(context.Context, *scenarios.Run) linearizability.Verdict {
	violations := slices.Concat(Overlaps(x.intervals.All(), x.machines), x.powerless.Violations())
	return Verdict(x.name, violations,
		fmt.Sprintf("no service ran on two machines at once, in %d run intervals",
			len(x.intervals.All())))
}
