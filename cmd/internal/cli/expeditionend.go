package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/reports/github"
	"github.com/holdfast-sim/holdfast/reports/junit"
)

// show tells of a run that was not expected, and how far the campaign is.
func (e *expedition) show(o *campaign.Outcome) {
	if o.Failed() {
		e.progress.clear()
		fmt.Fprintf(e.app.Stderr, "%s, seed %d: %s\n  %s\n", o.Scenario, o.Seed, firstLine(o.Why()), o.Reproduce)
	}
	made := e.summary.Runs - e.before
	left := ""
	if made > 0 {
		each := time.Since(e.begun) / time.Duration(made)
		rest := each * time.Duration(e.seeds-e.summary.Runs)
		if e.flags.budget > 0 {
			rest = min(rest, e.flags.budget-time.Since(e.begun))
		}
		left = fmt.Sprintf(", about %s left", max(rest, 0).Round(time.Second))
	}
	e.progress.line(fmt.Sprintf("%d of %d runs, %d failed%s", e.summary.Runs, e.seeds, e.summary.Failed, left))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// finish writes what came out.
func (e *expedition) finish(ctx context.Context) error {
	f := e.flags
	if e.before == 0 {
		e.summary.Finish(time.Since(e.begun))
	}
	if f.junit != "" {
		if err := writeFile(f.junit, func(out *os.File) error { return junit.Write(out, e.outcomes) }); err != nil {
			return internal(err)
		}
	}
	if err := e.tellGitHub(); err != nil {
		return internal(err)
	}
	write := e.summary.Text
	if f.json {
		write = e.summary.JSON
	}
	if err := write(e.app.Stdout); err != nil {
		return internal(err)
	}
	missing := e.seeds - e.summary.Runs
	if missing > 0 {
		why := "the time is over"
		if ctx.Err() != nil {
			why = "interrupted"
		}
		fmt.Fprintf(e.app.Stderr, "%s: %d of %d runs are missing; to go on:\n  %s\n", why, missing, e.seeds, e.again())
	}
	switch {
	case e.summary.Failed > 0 && e.anyInvalid():
		return verdict(linearizability.Invalid)
	case !e.summary.OK(), missing > 0 && f.budget == 0:
		return verdict(linearizability.Unknown)
	}
	return nil
}

// anyInvalid says whether a run came out otherwise than expected, and not just without a verdict.
func (e *expedition) anyInvalid() bool {
	for i := range e.outcomes {
		if o := &e.outcomes[i]; o.Failed() && o.Problem == "" && o.Verdict != linearizability.Unknown {
			return true
		}
	}
	return false
}

// again is the command that goes on with the campaign.
func (e *expedition) again() string {
	f := e.flags
	args := append([]string{"campaign"}, e.words...)
	add := func(flag, value, otherwise string) {
		if value != otherwise {
			args = append(args, flag, value)
		}
	}
	if f.all {
		args = append(args, "--all")
	}
	add("--seeds", f.seeds, "1-1000")
	add("--runs", f.runs, defaultRuns)
	add("--journal", f.journal, "")
	add("--topology", f.topology, "")
	add("--junit", f.junit, "")
	if f.budget > 0 {
		args = append(args, "--for", f.budget.String())
	}
	return e.app.command(args...)
}

// tellGitHub writes annotations and the summary of the step when GitHub Actions runs this.
func (e *expedition) tellGitHub() error {
	if e.app.Env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if err := github.Annotations(e.app.Stderr, e.outcomes); err != nil {
		return err
	}
	path := e.app.Env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the step's summary: %w", err)
	}
	return errors.Join(github.Summary(out, e.summary), out.Close())
}

func writeFile(path string, write func(*os.File) error) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}
