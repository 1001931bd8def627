package cli

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/tally"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
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

// tallySink counts outcomes.
type tallySink struct{ *tally.Tally }

// take implements sink.
func (s tallySink) take(o *outcome) error {
	s.Add(&o.line.Summary, o.line.Outcome)
	return nil
}

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
		return reports.TextOptions{Color: s.app.usesColor(), Page: o.line.Page}.Text(s.app.Stdout, o.run)
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
