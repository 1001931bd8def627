package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/cireports"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// report writes every form of the campaign's result and returns the exit code.
func (c *campaignRun) report(ctx context.Context) error {
	summary, f := c.search.Summary, c.flags
	if c.search.Restored == 0 {
		summary.Finish(c.search.Took())
	}
	err := c.page.Finish()
	err = errors.Join(err, cireports.Write(summary, c.search.Outcomes, cireports.To{Program: c.app.Name,
		JUnitFile: f.JUnit, Env: c.app.Env, Stderr: c.app.Stderr}))
	if f.JSON {
		err = errors.Join(err, summary.JSON(c.app.Stdout))
	} else {
		err = errors.Join(err, summary.Text(c.app.Stdout, c.earlier))
	}
	if err != nil {
		return internalError(err)
	}
	if !f.Quiet {
		fmt.Fprintf(c.app.Stderr, "page: %s\n", c.page.Path)
	}
	missing := c.search.Runs() - summary.Runs
	if missing > 0 && !f.OpenEnded {
		why := "out of time"
		switch {
		case ctx.Err() != nil:
			why = "interrupted"
		case f.StopAtFirst && summary.Failed > 0:
			why = "stopped at the first failure"
		}
		fmt.Fprintf(c.app.Stderr, "%s: %d of %d runs are missing; to resume:\n  %s\n",
			why, missing, c.search.Runs(), c.resumeCommand())
	}
	switch {
	case c.search.AnyInvalid():
		return exitFor(linearizability.Invalid)
	case f.OpenEnded && summary.Failed == 0:
		return nil
	case !summary.OK(), missing > 0 && f.Budget == 0:
		return exitFor(linearizability.Unknown)
	}
	return nil
}

// resumeCommand is the command that continues the campaign.
func (c *campaignRun) resumeCommand() string {
	f := c.flags
	args := append([]string{"campaign"}, c.words...)
	add := func(flag, value, otherwise string) {
		if value != otherwise {
			args = append(args, flag, value)
		}
	}
	if f.All && !f.OpenEnded { // without words the whole library is meant
		args = append(args, "--all")
	}
	add("--seeds", f.Seeds, "")
	add("--strategy", strings.Join(f.Strategies, ","), explore.Plain)
	add("--runs", f.Runs, defaultRuns)
	add("--journal", f.Journal, "")
	add("--shard", f.Shard, "")
	add("--topology", f.Topology, "")
	add("--junit", f.JUnit, "")
	add("--page", f.Page, "")
	if f.Budget > 0 {
		args = append(args, "--for", f.Budget.String())
	}
	return c.app.command(args...)
}
