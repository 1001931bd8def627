package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/github"
	"github.com/holdfast-sim/holdfast/reports/junit"
)

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// report writes every form of the campaign's result and returns the exit code.
func (c *campaignRun) report(ctx context.Context) error {
	if c.restored == 0 {
		c.summary.Finish(time.Since(c.begin))
	}
	for _, write := range []func() error{c.reportJUnit, c.reportGitHub, c.reportSummary} {
		if err := write(); err != nil {
			return internalError(err)
		}
	}
	missing := c.seeds - c.summary.Runs
	if missing > 0 {
		why := "out of time"
		if ctx.Err() != nil {
			why = "interrupted"
		}
		fmt.Fprintf(c.app.Stderr, "%s: %d of %d runs are missing; to resume:\n  %s\n",
			why, missing, c.seeds, c.resume())
	}
	switch {
	case c.anyInvalid():
		return exitFor(linearizability.Invalid)
	case !c.summary.OK(), missing > 0 && c.flags.budget == 0:
		return exitFor(linearizability.Unknown)
	}
	return nil
}

// anyInvalid reports whether a run ended otherwise than expected, and not just without a verdict.
func (c *campaignRun) anyInvalid() bool {
	for i := range c.outcomes {
		if o := &c.outcomes[i]; o.Failed() && o.Problem == "" && o.Verdict != linearizability.Unknown {
			return true
		}
	}
	return false
}

// resume is the command that continues the campaign.
func (c *campaignRun) resume() string {
	f := c.flags
	args := append([]string{"campaign"}, c.words...)
	add := func(flag, value, otherwise string) {
		if value != otherwise {
			args = append(args, flag, value)
		}
	}
	if f.all {
		args = append(args, "--all")
	}
	add("--seeds", f.seeds, defaultCampaignSeeds)
	add("--runs", f.runs, defaultRuns)
	add("--journal", f.journal, "")
	add("--topology", f.topology, "")
	add("--junit", f.junit, "")
	if f.budget > 0 {
		args = append(args, "--for", f.budget.String())
	}
	return c.app.command(args...)
}

// reportSummary prints the summary.
func (c *campaignRun) reportSummary() error {
	if c.flags.json {
		return c.summary.JSON(c.app.Stdout)
	}
	return c.summary.Text(c.app.Stdout)
}

// reportJUnit writes the JUnit report where one is asked for.
func (c *campaignRun) reportJUnit() error {
	if c.flags.junit == "" {
		return nil
	}
	out, err := os.Create(c.flags.junit)
	if err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	return errors.Join(junit.Write(out, c.outcomes), out.Close())
}

// reportGitHub writes annotations and the summary of the step when GitHub Actions runs the program.
func (c *campaignRun) reportGitHub() error {
	if c.app.Env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if err := github.Annotations(c.app.Stderr, c.outcomes); err != nil {
		return err
	}
	path := c.app.Env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the step's summary: %w", err)
	}
	return errors.Join(github.Summary(out, c.summary), out.Close())
}
