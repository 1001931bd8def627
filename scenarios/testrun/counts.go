package testrun

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Counts are totals over the runs of one scenario.
type Counts struct {
	// Valid, Invalid and Unknown count runs by verdict.
	Valid, Invalid, Unknown int
	// Operations of clients, and how they ended. Those without an answer are neither OK nor Failed.
	Operations, OK, Failed int
	// Faults that were injected, and those of them that affected nothing.
	Faults, WithoutEffect int

	scenario *scenarios.Scenario
	// Probes are the rare paths that a run reached.
	Probes map[string]bool `json:"probes,omitempty"`
}

// Add counts a run.
func (c *Counts) Add(run *scenarios.Run) {
	c.scenario = run.Scenario
	switch run.Verdict() {
	case linearizability.Valid:
		c.Valid++
	case linearizability.Invalid:
		c.Invalid++
	default:
		c.Unknown++
	}
	for i := range run.Events {
		switch run.Events[i].Type {
		case history.Invoke:
			c.Operations++
		case history.OK:
			c.OK++
		case history.Fail:
			c.Failed++
		}
	}
	for i := range run.Applied {
		a := &run.Applied[i]
		if a.Problem == "" {
			c.Faults++
		}
		if a.WithoutEffect() {
			c.WithoutEffect++
		}
	}
	for id, n := range run.Probes {
		if n > 0 {
			c.reach(id)
		}
	}
}

// Merge adds the counts of other runs of a scenario.
func (c *Counts) Merge(o *Counts, of *scenarios.Scenario) {
	if o.Runs() == 0 {
		return
	}
	c.scenario = of
	c.Valid, c.Invalid, c.Unknown = c.Valid+o.Valid, c.Invalid+o.Invalid, c.Unknown+o.Unknown
	c.Operations, c.OK, c.Failed = c.Operations+o.Operations, c.OK+o.OK, c.Failed+o.Failed
	c.Faults, c.WithoutEffect = c.Faults+o.Faults, c.WithoutEffect+o.WithoutEffect
	for id := range o.Probes {
		c.reach(id)
	}
}

func (c *Counts) reach(probe string) {
	if c.Probes == nil {
		c.Probes = map[string]bool{}
	}
	c.Probes[probe] = true
}

// Runs is how many runs were counted.
func (c *Counts) Runs() int { return c.Valid + c.Invalid + c.Unknown }

// String is one line for a person, such as "20 seeds valid: 3,740 operations (3,002 ok, 610 failed, 128
// unknown), 57 faults, 2 without effect".
func (c *Counts) String() string {
	return fmt.Sprintf("%s: %s (%s ok, %s failed, %s unknown), %s, %s without effect", c.seedsText(),
		countWithNoun(c.Operations, "operation"), thousands(c.OK), thousands(c.Failed),
		thousands(c.Operations-c.OK-c.Failed), countWithNoun(c.Faults, "fault"), thousands(c.WithoutEffect))
}

// seedsText describes the verdicts.
func (c *Counts) seedsText() string {
	text := countWithNoun(c.Runs(), "seed")
	var parts []string
	for _, v := range []struct {
		count int
		word  string
	}{{c.Valid, "valid"}, {c.Invalid, "invalid"}, {c.Unknown, "unknown"}} {
		switch {
		case v.count == c.Runs() && v.count > 0:
			return text + " " + v.word
		case v.count > 0:
			parts = append(parts, thousands(v.count)+" "+v.word)
		}
	}
	return strings.Join(append([]string{text}, parts...), ", ")
}

// MissedProbes returns an error that names the probes that the scenario expects and that none of the runs
// reached; nil when there is none.
func (c *Counts) MissedProbes() error {
	if c.scenario == nil {
		return nil
	}
	var missed []string
	for _, id := range c.scenario.Expect.Probes {
		if !c.Probes[id] {
			missed = append(missed, id)
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("scenario %s: none of %s reached %s; run more seeds, or change the scenario so that "+
		"it reaches them", c.scenario.Name, countWithNoun(c.Runs(), "seed"), strings.Join(missed, ", "))
}

// countWithNoun is a number with what it counts.
func countWithNoun(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands is a number with a comma after each three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
