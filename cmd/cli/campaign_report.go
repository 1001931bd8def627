package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/cireports"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
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
	err := cireports.Write(c.summary, c.outcomes, c.flags.junit, c.app.Env, c.app.Stderr)
	if err = errors.Join(err, c.reportSummary()); err != nil {
		return internalError(err)
	}
	missing := c.seeds - c.summary.Runs
	if missing > 0 && !c.flags.openEnded {
		why := "out of time"
		switch {
		case ctx.Err() != nil:
			why = "interrupted"
		case c.flags.stopAtFirst && c.summary.Failed > 0:
			why = "stopped at the first failure"
		}
		fmt.Fprintf(c.app.Stderr, "%s: %d of %d runs are missing; to resume:\n  %s\n",
			why, missing, c.seeds, c.resume())
	}
	switch {
	case c.anyInvalid():
		return exitFor(linearizability.Invalid)
	case c.flags.openEnded:
		if c.summary.Failed > 0 {
			return exitFor(linearizability.Unknown)
		}
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
	if f.all && !f.openEnded {
		args = append(args, "--all")
	}
	add("--seeds", f.seeds, defaultCampaignSeeds)
	add("--strategy", strings.Join(f.strategies, ","), explore.Plain)
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
