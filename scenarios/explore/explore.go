// Package explore changes a scenario for one run, so that the runs of one scenario reach more of what its
// subject does than its own faults do.
//
// A strategy is a pure function of the scenario and the seed. Its result is an ordinary scenario with its
// faults written out: it can be saved, replayed, and made small.
//
// Package explore never runs a scenario and never judges one. It never exceeds the damage that the subject
// must survive, unless the scenario itself does.
package explore

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Strategy is a way to change a scenario.
type Strategy struct {
	Name string
	// About is one line about what it does.
	About  string
	change func(e *explorer)
}

// Plain is the name of the strategy that leaves a scenario as it is.
const Plain = "plain"

// Trigger is the name of the strategy for subjects that state what faults can wait for, see
// [scenarios.TriggersOf].
const Trigger = "trigger"

// ErrUnknownStrategy means that no strategy has the name.
var ErrUnknownStrategy = errors.New("unknown strategy")

// Strategies returns all strategies: Plain is the first, and the others follow in the order of what they
// found.
func Strategies() []Strategy {
	plain := Strategy{Plain, "the scenario as it is written", func(*explorer) {}}
	return slices.Concat([]Strategy{plain}, severe(), []Strategy{
		{"swarm", "other faults, of a few kinds that each seed chooses, at a rate that it chooses",
			func(e *explorer) { e.addFaults(steady) }},
		{"hunt", "faults that hit the same machine again and again",
			func(e *explorer) { e.addFaults(hunting) }},
		{"shift", "the scenario's own faults at other times, for other machines, with a few more",
			(*explorer).shiftFaults},
	})
}

// severe returns the strategies that may do more damage than the subject must survive: its safety must hold
// all the same.
func severe() []Strategy {
	return []Strategy{
		{"churn", "whichever machine has a role is disturbed shortly after it got the role, again and again",
			disturbing((*disturber).addChurn)},
		{Trigger, "faults begin at what processes record, or right after it",
			disturbing((*disturber).addTriggered)},
		{"flurry", "many faults about as long as the subject's timers",
			(*explorer).addFlurry},
		{"bridge", "one machine reaches the others, which do not reach each other, and restarts",
			disturbing((*disturber).addBridges)},
		{"sweep", "crashes at disk calls, which the seeds enumerate", disturbing((*disturber).addSweep)},
	}
}

// isSevere reports whether a strategy may do more damage than the subject must survive.
func isSevere(name string) bool {
	return slices.ContainsFunc(severe(), func(s Strategy) bool { return s.Name == name })
}

// Names returns the names of all strategies.
func Names() []string {
	var names []string
	for _, s := range Strategies() {
		names = append(names, s.Name)
	}
	return names
}

// ErrNoTriggers means that a subject states no records that faults could wait for.
var ErrNoTriggers = errors.New("the subject states no records (Definition.Records)")

// Limits of a changed workload.
const (
	maxClients = 20
	// maxOperationsPerKey bounds the history of one key: in a longer one with many unknown outcomes no search
	// finds an order.
	maxOperationsPerKey = 100
	// spreadOperationsPerKey and maxSpreadKeys are for runs in which very many outcomes are unknown.
	spreadOperationsPerKey = 20
	maxSpreadKeys          = 100
	minKeys                = 2 // a rename needs another name
)

// stream is the stream from which strategies draw.
const stream = "explore"

// explorer changes one scenario.
type explorer struct {
	scenario  *scenarios.Scenario
	judge     scenarios.Judge
	processes []string
	roles     []string
	records   []string // kinds that faults can wait for
	probes    []string
	sites     []string // where processes take rare paths on request
	timers    scenarios.Timers
	lists     draw.Lists
	seed      uint64
	severe    bool // the strategy may do more damage than the subject must survive
	spreads   bool // so many outcomes may be unknown that the operations need more keys
}

// Apply returns the scenario and the subject of one run. Those of the strategy Plain are the arguments. For
// every other strategy they have what the seed decides written out: faults, and the subject's own choices
// (see [scenarios.Varier]). A changed run need not reach what its scenario expects beyond a valid verdict.
func Apply(name string, s *scenarios.Scenario, subject scenarios.Subject, seed uint64) (
	*scenarios.Scenario, scenarios.Subject, error) {
	index := slices.IndexFunc(Strategies(), func(s Strategy) bool { return s.Name == name })
	switch {
	case index < 0:
		return nil, nil, fmt.Errorf("%w %q: write one of %v", ErrUnknownStrategy, name, Names())
	case name == Plain:
		return s, subject, nil
	}
	if records, _ := scenarios.TriggersOf(subject); name == Trigger && len(records) == 0 {
		return nil, nil, fmt.Errorf("changing scenario %s by the strategy %s: %w", s.Name, name,
			ErrNoTriggers)
	}
	lists := draw.Derive(seed)
	s, subject, err := scenarios.Vary(s, subject, lists)
	if err != nil {
		return nil, nil, err
	}
	if story, is := subject.(scenarios.StorySubject); is {
		if s, subject, err = story.WithoutStory(s); err != nil {
			return nil, nil, fmt.Errorf("changing scenario %s: %w", s.Name, err)
		}
	}
	if slices.ContainsFunc(s.Faults, func(f fault.Fault) bool { return f.LosesData() }) {
		return nil, nil, fmt.Errorf("changing scenario %s: %w: they lose durable data, and with others "+
			"there may be no copy left", s.Name, scenarios.ErrFixedStory)
	}
	if isSevere(name) && s.Watchdog == scenarios.WatchdogPowerOff {
		return nil, nil, fmt.Errorf("changing scenario %s by the strategy %s: %w: watchdogs switch machines "+
			"off, also after the last fault, and nothing switches them on again", s.Name, name,
			scenarios.ErrFixedStory)
	}
	changed := *s
	changed.Faults = slices.Clone(s.Faults)
	changed.Expect.Probes, changed.Expect.NoEffect = nil, true
	if share := s.Expect.Succeeded; share != nil && *share > 0 {
		changed.Expect.Succeeded = nil
	}
	if locks := s.Workload.Locks; locks != nil {
		other := *locks
		other.Served = nil // that held for the scenario's own faults as well
		changed.Workload.Locks = &other
	}
	e := &explorer{scenario: &changed, judge: subject.Judge(), processes: processesOf(&changed, subject),
		roles: scenarios.RolesOf(subject), lists: lists, seed: seed,
		severe: isSevere(name)}
	e.setTimers(subject)
	e.records, e.probes = scenarios.TriggersOf(subject)
	e.sites = scenarios.SitesOf(subject)
	Strategies()[index].change(e)
	e.addBuggify()
	e.addCore()
	if e.severe {
		changed.Expect.Succeeded = new(fault.PPM) // there may be no time in which anything is served
	}
	e.switchOn()
	e.varyWorkload()
	changed.Nemesis = nil
	return &changed, subject, nil
}

// Timers of a subject that states none are drawn: the shortest is one of drawnTimers doublings of leastTimer.
const (
	leastTimer       = 10 * time.Millisecond
	drawnTimers      = 8 // up to 1.28 s
	drawnPerShortest = 5 // how many times as long as the shortest timer the longest one is
)

// setTimers sets the timers that the subject states, or else draws what they may be.
func (e *explorer) setTimers(subject scenarios.Subject) {
	if e.timers = scenarios.TimersOf(subject); !e.timers.Known() {
		e.timers.Shortest = leastTimer << e.choose("timers", drawnTimers)
		e.timers.Longest = drawnPerShortest * e.timers.Shortest
	}
}

// switchOn switches on, when the faults end, the machines that the story leaves off: where it has faults that
// do so, or where watchdogs do not let machines boot, they may now come too early. Under a severe strategy an
// operator's command may have an effect only now.
func (e *explorer) switchOn() {
	s := e.scenario
	isOn := func(f fault.Fault) bool { return f.Kind == fault.PowerOn }
	if (e.severe || s.Watchdog == scenarios.WatchdogPowerOff || slices.ContainsFunc(s.Faults, isOn)) &&
		len(s.Faults) < scenarios.MaxFaults {
		s.Faults = append(s.Faults, fault.Fault{Kind: fault.PowerOn, At: s.Duration - 1,
			Machines: s.Machines})
	}
}

// CanChange reports whether a strategy applies to a scenario. A scenario that documents a violation expects
// that one, and not any.
func CanChange(name string, s *scenarios.Scenario, subject scenarios.Subject) bool {
	if s.Expect.Verdict != "valid" {
		return false
	}
	_, _, err := Apply(name, s, subject, 1)
	return err == nil
}

// seedsToCompare are as many as make it unlikely that all of them draw the same.
const seedsToCompare = 4

// IsDrawn reports whether each seed draws another scenario, and not only what happens in it: other machines,
// or other work.
func IsDrawn(s *scenarios.Scenario, subject scenarios.Subject) bool {
	for seed := range uint64(seedsToCompare) {
		drawn, _, err := scenarios.Vary(s, subject, draw.Derive(seed))
		if err != nil {
			return false
		}
		if !slices.Equal(drawn.Machines, s.Machines) || !reflect.DeepEqual(drawn.Workload, s.Workload) {
			return true
		}
	}
	return false
}

// processesOf returns the processes that every machine has.
func processesOf(s *scenarios.Scenario, subject scenarios.Subject) []string {
	builder := subject.Builder()
	if builder == nil {
		return nil
	}
	var common []string
	for m := range s.Machines {
		var names []string
		for _, p := range builder.Processes(machineID(m)) {
			names = append(names, p.Name)
		}
		if m == 0 {
			common = names
			continue
		}
		common = slices.DeleteFunc(common, func(name string) bool { return !slices.Contains(names, name) })
	}
	return common
}

// choose draws a number below n from the list of a label.
func (e *explorer) choose(label string, n int) int {
	return int(e.lists(stream, label).Choose(uint64(max(n, 1))))
}

// share draws a share of up to most.
func (e *explorer) share(label string, most fault.PPM) fault.PPM {
	return most / scenarios.SeveritySteps * fault.PPM(e.choose(label, scenarios.SeveritySteps))
}

// between draws a duration from low to high; each doubling is equally likely.
func (e *explorer) between(label string, low, high time.Duration) time.Duration {
	low = max(low, 1)
	doublings := 0
	for d := low; d < high/2; d *= 2 {
		doublings++
	}
	d := low << e.choose(label+"-doublings", doublings+1)
	return min(d+fraction(d, uint64(e.choose(label, scenarios.SeveritySteps))), max(high, low))
}

// fraction returns steps/SeveritySteps of a duration.
func fraction(of time.Duration, steps uint64) time.Duration {
	return of / scenarios.SeveritySteps * time.Duration(steps)
}

// varyWorkload changes how many clients work on how many keys: few keys make conflicts, many clients
// overlap.
func (e *explorer) varyWorkload() {
	w := &e.scenario.Workload
	if e.spreads {
		w.Keys = max(w.Keys, min(w.Operations/spreadOperationsPerKey, maxSpreadKeys))
	} else if w.Keys > minKeys && w.Operations <= maxOperationsPerKey*minKeys &&
		e.choose("fewer-keys", 3) == 1 {
		w.Keys = minKeys + e.choose("keys", w.Keys-minKeys)
	}
	if w.Clients > 1 && e.choose("more-clients", 4) == 1 {
		w.Clients = min(w.Clients*2, maxClients)
	}
}

// drawable are the kinds of faults that strategies draw: those that take no durable data, that hurt, and that
// a subject must survive whatever it is: not every one checks its packets, or expects a machine that stands
// still with its watchdog. Rare paths on request come in addition, see addBuggify.
func drawable(kinds []fault.Kind) []fault.Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k fault.Kind) bool {
		f := fault.Fault{Kind: k}
		return f.LosesData() || k == fault.PowerOn || k == fault.Corrupt || k == fault.Freeze ||
			k == fault.Buggify
	})
}
