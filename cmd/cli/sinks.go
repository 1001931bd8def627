package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// sink takes the outcomes of a plan, each as soon as its run has ended.
type sink interface {
	take(o *outcome) error
}

func takeAll(sinks []sink, o *outcome) error {
	for _, s := range sinks {
		if err := s.take(o); err != nil {
			return err
		}
	}
	return nil
}

// tally counts the outcomes of a job.
type tally struct {
	job                        *job
	expected, invalid, unknown int
	worst                      linearizability.Validity
	firstBad                   string // the command for the first unexpected run
	without                    []scenarios.NotCarriedOut
	probes                     map[string]int
}

// take implements sink.
func (t *tally) take(o *outcome) error {
	if t.probes == nil {
		t.probes = map[string]int{}
	}
	for id, n := range o.line.Probes {
		t.probes[id] += n
	}
	if len(o.line.NotCarriedOut) > 0 {
		t.without = slices.DeleteFunc(slices.Clone(o.line.NotCarriedOut),
			func(n scenarios.NotCarriedOut) bool { return n.Minor })
	}
	t.worst = worseValidity(t.worst, o.line.Outcome)
	switch o.line.Outcome {
	case linearizability.Valid:
		t.expected++
		return nil
	case linearizability.Invalid:
		t.invalid++
	default:
		t.unknown++
	}
	if t.firstBad == "" {
		t.firstBad = o.line.Reproduce
	}
	return nil
}

func (t *tally) total() int { return t.expected + t.invalid + t.unknown }

// missed lists the rare paths that the scenario expects some seed to take and that none took.
func (t *tally) missed() []string {
	var missed []string
	for _, id := range t.job.scenario.Expect.Probes {
		if t.probes[id] == 0 {
			missed = append(missed, id)
		}
	}
	return missed
}

func (t *tally) printMissed(w io.Writer, missed []string) {
	fmt.Fprintf(w, "%s: no seed reached %s; run more seeds, or change the scenario so that it reaches them\n",
		t.job.scenario.Name, strings.Join(missed, ", "))
}

// print writes the line that counts all seeds.
func (t *tally) print(w io.Writer, took time.Duration) {
	expected := "valid"
	if t.job.scenario.Expect.Verdict != "valid" {
		expected = t.job.scenario.Expect.Verdict + " as expected"
	}
	fmt.Fprintf(w, "%s: %d seeds: %d %s, %d not, %d unknown (%s)\n",
		t.job.scenario.Name, t.total(), t.expected, expected,
		t.invalid, t.unknown, took.Round(10*time.Millisecond))
	for i, n := range t.without {
		if i == 0 {
			fmt.Fprintln(w, "these verdicts are about a cluster without what its configuration asks for:")
		}
		fmt.Fprintf(w, "  %v\n", n)
	}
	if t.firstBad != "" {
		fmt.Fprintf(w, "reproduce the first one:\n  %s\n", t.firstBad)
	}
}

// journalSink records outcomes in the journal of a campaign.
type journalSink struct{ *journal.Journal }

// take implements sink.
func (s journalSink) take(o *outcome) error { return s.Append(o.campaign()) }

// runSink prints the outcomes of run in the form that its flags ask for.
func (a *app) runSink(f *runFlags, progress *progress.Line) sink {
	if f.json {
		return &jsonSink{json.NewEncoder(a.Stdout), progress}
	}
	return &textSink{app: a, progress: progress, all: f.seeds == "" && !f.quiet}
}

// jsonSink prints one line of JSON for each run.
type jsonSink struct {
	out      *json.Encoder
	progress *progress.Line
}

// take implements sink.
func (s *jsonSink) take(o *outcome) error {
	s.progress.Clear()
	return s.out.Encode(&o.line)
}

// textSink prints runs for people: all of them, or those that did not end as expected.
type textSink struct {
	app      *app
	progress *progress.Line
	all      bool
}

// take implements sink.
func (s *textSink) take(o *outcome) error {
	s.progress.Clear()
	if !s.all && o.line.Outcome == linearizability.Valid {
		return nil
	}
	if o.run != nil {
		return reports.TextOptions{Color: s.app.color(), Page: o.line.Page}.Text(s.app.Stdout, o.run)
	}
	// A worker process made the run; what it did is on the page.
	out := s.app.Stdout
	fmt.Fprintf(out, "%s  %s\n", o.line.Verdict, o.title())
	for _, c := range o.line.Checks {
		if c.Verdict != linearizability.Valid {
			fmt.Fprintf(out, "  %s: %s: %s\n", c.Checker, c.Verdict, c.Summary)
		}
	}
	_, err := fmt.Fprintf(out, "  page: %s\n  reproduce: %s\n", o.line.Page, o.line.Reproduce)
	return err
}
