// Package tally counts how the runs of one scenario ended.
//
// Package tally never makes a run.
package tally

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Tally counts how the runs of one scenario ended.
type Tally struct {
	scenario *scenarios.Scenario
	// Worst is the worst outcome, FirstBad the command for the first unexpected run, "" for none.
	Worst    linearizability.Validity
	FirstBad string

	expected, invalid, unknown int
	without                    []scenarios.NotCarriedOut
	probes                     map[string]int
}

// New returns a tally without runs.
func New(s *scenarios.Scenario) *Tally { return &Tally{scenario: s, Worst: linearizability.Valid} }

// Add counts a run. outcome is valid when the run ended as its scenario expects.
func (t *Tally) Add(s *reports.Summary, outcome linearizability.Validity) {
	if t.probes == nil {
		t.probes = map[string]int{}
	}
	for id, n := range s.Probes {
		t.probes[id] += n
	}
	if len(s.NotCarriedOut) > 0 {
		t.without = slices.DeleteFunc(slices.Clone(s.NotCarriedOut),
			func(n scenarios.NotCarriedOut) bool { return n.Minor })
	}
	t.Worst = linearizability.Worst([]linearizability.Verdict{{Validity: t.Worst}, {Validity: outcome}})
	switch outcome {
	case linearizability.Valid:
		t.expected++
		return
	case linearizability.Invalid:
		t.invalid++
	default:
		t.unknown++
	}
	if t.FirstBad == "" {
		t.FirstBad = s.Reproduce
	}
}

// Total is the number of runs.
func (t *Tally) Total() int { return t.expected + t.invalid + t.unknown }

// MissedProbes lists the rare paths that the scenario expects some seed to take and that none took.
func (t *Tally) MissedProbes() []string {
	var missed []string
	for _, id := range t.scenario.Expect.Probes {
		if t.probes[id] == 0 {
			missed = append(missed, id)
		}
	}
	return missed
}

// PrintMissedProbes names the paths that no seed reached.
func (t *Tally) PrintMissedProbes(w io.Writer, missed []string) {
	fmt.Fprintf(w, "%s: no seed reached %s; run more seeds, or change the scenario so that it reaches them\n",
		t.scenario.Name, strings.Join(missed, ", "))
}

// Print writes the line that counts all seeds.
func (t *Tally) Print(w io.Writer, took time.Duration) {
	expected := "valid"
	if t.scenario.Expect.Verdict != "valid" {
		expected = t.scenario.Expect.Verdict + " as expected"
	}
	fmt.Fprintf(w, "%s: %d seeds: %d %s, %d not, %d unknown (%s)\n",
		t.scenario.Name, t.Total(), t.expected, expected,
		t.invalid, t.unknown, took.Round(10*time.Millisecond))
	for i, n := range t.without {
		if i == 0 {
			fmt.Fprintln(w, "these verdicts are about a cluster without what its configuration asks for:")
		}
		fmt.Fprintf(w, "  %v\n", n)
	}
	if t.FirstBad != "" {
		fmt.Fprintf(w, "reproduce the first one:\n  %s\n", t.FirstBad)
	}
}
