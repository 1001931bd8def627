// Package campaign sums up many runs of a scenario: how they ended, which rare paths they reached,
// which seeds failed and with which command each can be repeated.
//
// It adds up what it is given and judges nothing.
package campaign

import (
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Outcome is one run of a campaign.
type Outcome struct {
	Scenario string `json:"scenario"`
	// Strategy is how the scenario was changed for the run; empty means that it was not.
	Strategy string                   `json:"strategy,omitempty"`
	Seed     uint64                   `json:"seed"`
	Verdict  linearizability.Validity `json:"verdict"`
	// Expected is the verdict that the scenario asks for; empty means valid.
	Expected string `json:"expected,omitempty"`
	// Checks are the run's verdicts without evidence.
	Checks    []reports.CheckSummary `json:"checks,omitempty"`
	Digest    string                 `json:"digest,omitempty"`
	Probes    map[string]int         `json:"probes,omitempty"`
	Reproduce string                 `json:"reproduce,omitempty"`
	// Folder is the run folder, where one was written.
	Folder string `json:"folder,omitempty"`
	// File is the scenario's file, for annotations.
	File string `json:"file,omitempty"`
	// Steps and Duration are the run's own, Took is what it cost in real time, in nanoseconds.
	Steps    uint64        `json:"steps,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
	// CPU is the processor time that the run took; 0 where it is not known.
	CPU time.Duration `json:"cpu,omitempty"`
	// NewBehaviour are the kinds of behaviour that no earlier run of the campaign showed; see package
	// explore.
	NewBehaviour []uint32 `json:"new_behaviour,omitempty"`
	// AfterCanary means that the campaign made sure before the run that it finds a planted violation.
	AfterCanary bool `json:"after_canary,omitempty"`
	// Repeated means that the run was made again with other settings of the Go runtime, and was the same.
	Repeated bool `json:"repeated,omitempty"`
	// Problem says why there is no verdict at all: the run could not be made.
	Problem string `json:"problem,omitempty"`
	// NotCarriedOut are the settings that the run was without.
	NotCarriedOut []scenarios.NotCarriedOut `json:"not_carried_out,omitempty"`
	// Small, if set, makes the outcome a note about a run that was counted before: it was made small.
	Small *Small `json:"small,omitempty"`
}

// Cost is the processor time of the run, which other work on the machine does not stretch, or else its real
// time.
func (o *Outcome) Cost() time.Duration {
	if o.CPU > 0 {
		return o.CPU
	}
	return o.Took
}

// Of makes an outcome of a run's summary.
func Of(s reports.Summary, took time.Duration) Outcome {
	return Outcome{Scenario: s.Scenario, Seed: s.Seed, Verdict: s.Verdict, Expected: s.Expected,
		Checks: s.Checks,
		Digest: s.Digest, Probes: s.Probes, Reproduce: s.Reproduce, Steps: s.Steps, Duration: s.Duration,
		Took: took, NotCarriedOut: s.NotCarriedOut}
}

// Failed reports whether a run ended otherwise than its scenario expects.
func (o *Outcome) Failed() bool {
	if o.Expected == "" || o.Problem != "" {
		return o.Problem != "" || o.Verdict != linearizability.Valid
	}
	return o.Verdict.String() != o.Expected
}

// AnyInvalid reports whether one of the runs ended otherwise than expected, and not just without a verdict.
func AnyInvalid(outcomes []Outcome) bool {
	return slices.ContainsFunc(outcomes, func(o Outcome) bool {
		return o.Failed() && o.Problem == "" && o.Verdict != linearizability.Unknown
	})
}

// Why is one line about what went wrong: the first check that is worst, or the problem.
func (o *Outcome) Why() string {
	if o.Problem != "" {
		return o.Problem
	}
	for _, want := range []linearizability.Validity{linearizability.Invalid, linearizability.Unknown} {
		for _, c := range o.Checks {
			if c.Verdict == want {
				return c.Checker + ": " + c.Summary
			}
		}
	}
	return "the verdict is " + o.Verdict.String()
}

// Failure is a seed that failed.
type Failure struct {
	Scenario  string                   `json:"scenario"`
	Strategy  string                   `json:"strategy,omitempty"`
	Seed      uint64                   `json:"seed"`
	Verdict   linearizability.Validity `json:"verdict"`
	Expected  string                   `json:"expected,omitempty"`
	Kind      linearizability.Kind     `json:"kind,omitempty"`
	Why       string                   `json:"why"`
	Reproduce string                   `json:"reproduce,omitempty"`
	Folder    string                   `json:"folder,omitempty"`
}

// MaxFailures is how many failing seeds a summary keeps for each scenario: the lowest ones.
const MaxFailures = 20

// Scenario sums up the runs of one scenario.
type Scenario struct {
	Name    string `json:"name"`
	Runs    int    `json:"runs"`
	Valid   int    `json:"valid"`
	Invalid int    `json:"invalid"`
	Unknown int    `json:"unknown"`
	// Failed is how many runs ended otherwise than expected, or could not be made at all.
	Failed   int            `json:"failed"`
	Failures []Failure      `json:"failures,omitempty"`
	Probes   map[string]int `json:"probes,omitempty"` // how many runs reached each
	// NotCarriedOut are the settings that the runs were without.
	NotCarriedOut []scenarios.NotCarriedOut `json:"not_carried_out,omitempty"`
	// Missing are expected probes that no run reached.
	Missing []string      `json:"missing_probes,omitempty"`
	Steps   uint64        `json:"steps"`
	Virtual time.Duration `json:"virtual"` // the runs' own time together, in nanoseconds
	First   uint64        `json:"first_seed"`
	Last    uint64        `json:"last_seed"`
}

// Schema names the JSON form of a [Summary].
const Schema = "holdfast.campaign/1"

// Summary sums up a campaign. Its totals do not depend on the order in which runs ended.
type Summary struct {
	Schema string `json:"schema"`
	Runs   int    `json:"runs"`
	Failed int    `json:"failed"`
	// Repeated is how many runs were made again with other settings of the Go runtime, and were the same.
	Repeated int `json:"repeated,omitempty"`
	// AfterCanary is how many runs were made after the campaign had found a planted violation.
	AfterCanary int         `json:"after_canary,omitempty"`
	Scenarios   []*Scenario `json:"scenarios"`
	// Units are the scenarios with each strategy.
	Units []*Unit `json:"units,omitempty"`
	// Behaviours is how many kinds of behaviour the runs showed, see package explore.
	Behaviours int `json:"behaviours,omitempty"`
	// Groups are the failures that are probably one each, violations first.
	Groups []*Group `json:"groups,omitempty"`
	// Took is the campaign's real time; PerHour the runs in an hour of it, 0 when not known.
	Took    time.Duration `json:"took,omitempty"`
	PerHour int64         `json:"runs_per_hour,omitempty"`

	expectedProbes map[string][]string
	behaviours     map[uint32]bool
	smallOf        map[GroupKey]*Small
	course         course
}

// New starts a summary.
func New() *Summary {
	return &Summary{Schema: Schema, expectedProbes: map[string][]string{},
		behaviours: map[uint32]bool{}, smallOf: map[GroupKey]*Small{}}
}

// Expect names the probes that some run of a scenario must reach.
func (s *Summary) Expect(scenario string, probes []string) {
	s.expectedProbes[scenario] = probes
	s.refreshMissing(s.findOrAddScenario(scenario))
}

// Add counts a run. A note that a run was made small is added after that run, or before it.
func (s *Summary) Add(o Outcome) {
	if o.Small != nil {
		s.addSmall(&o)
		return
	}
	c := s.findOrAddScenario(o.Scenario)
	if c.Runs == 0 || o.Seed < c.First {
		c.First = o.Seed
	}
	c.Last = max(c.Last, o.Seed)
	s.Runs++
	c.Runs++
	if o.Repeated {
		s.Repeated++
	}
	if o.AfterCanary {
		s.AfterCanary++
	}
	s.addToUnit(&o)
	c.Steps += o.Steps
	c.Virtual += o.Duration
	if len(o.NotCarriedOut) > 0 {
		c.NotCarriedOut = slices.DeleteFunc(slices.Clone(o.NotCarriedOut),
			func(n scenarios.NotCarriedOut) bool { return n.Minor })
	}
	switch {
	case o.Problem != "":
		c.Unknown++
	case o.Verdict == linearizability.Valid:
		c.Valid++
	case o.Verdict == linearizability.Invalid:
		c.Invalid++
	default:
		c.Unknown++
	}
	for id, n := range o.Probes {
		if n > 0 {
			c.Probes[id]++
		}
	}
	s.refreshMissing(c)
	if o.Failed() {
		s.Failed++
		c.Failed++
		c.addFailure(failureOf(&o))
		s.addToGroup(&o)
	}
}

// addToUnit counts a run for its scenario with its strategy, and in the course of the campaign.
func (s *Summary) addToUnit(o *Outcome) {
	u := s.findOrAddUnit(o.Scenario, o.Strategy)
	u.add(o)
	before := len(s.behaviours)
	for _, number := range o.NewBehaviour {
		s.behaviours[number] = true
	}
	s.Behaviours = len(s.behaviours)
	u.behaviours += s.Behaviours - before
	s.course.add(o.Cost(), o.Failed(), s.Behaviours-before)
}

func failureOf(o *Outcome) Failure {
	f := Failure{Scenario: o.Scenario, Strategy: o.Strategy, Seed: o.Seed, Verdict: o.Verdict,
		Expected: o.Expected, Why: o.Why(),
		Reproduce: o.Reproduce, Folder: o.Folder}
	for _, c := range o.Checks {
		if c.Kind != "" {
			f.Kind = c.Kind
			break
		}
	}
	return f
}

func (c *Scenario) addFailure(f Failure) {
	at, _ := slices.BinarySearchFunc(c.Failures, f.Seed, func(have Failure, seed uint64) int {
		switch {
		case have.Seed < seed:
			return -1
		case have.Seed > seed:
			return 1
		}
		return 0
	})
	c.Failures = slices.Insert(c.Failures, at, f)
	if len(c.Failures) > MaxFailures {
		c.Failures = c.Failures[:MaxFailures]
	}
}

// Finish notes how long the campaign took in real time.
func (s *Summary) Finish(took time.Duration) {
	s.Took, s.PerHour = took, 0
	s.completeGroups()
	if took >= time.Millisecond {
		s.PerHour = int64(s.Runs) * int64(time.Hour/time.Millisecond) / int64(took/time.Millisecond)
	}
}

// OK reports whether every run ended as expected and every expected probe was reached.
func (s *Summary) OK() bool {
	return s.Failed == 0 && s.Runs > 0 &&
		!slices.ContainsFunc(s.Scenarios, func(c *Scenario) bool { return len(c.Missing) > 0 })
}

// findOrAddScenario finds a scenario's part, in order of names, and adds it if it is missing.
func (s *Summary) findOrAddScenario(name string) *Scenario {
	at, found := slices.BinarySearchFunc(s.Scenarios, name, func(c *Scenario, name string) int {
		switch {
		case c.Name < name:
			return -1
		case c.Name > name:
			return 1
		}
		return 0
	})
	if !found {
		s.Scenarios = slices.Insert(s.Scenarios, at, &Scenario{Name: name, Probes: map[string]int{}})
	}
	return s.Scenarios[at]
}

func (s *Summary) refreshMissing(c *Scenario) {
	c.Missing = nil
	for _, id := range s.expectedProbes[c.Name] {
		if c.Probes[id] == 0 {
			c.Missing = append(c.Missing, id)
		}
	}
}
