package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/campaignflags"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/canary"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/pagefile"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/search"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// campaignRun is a campaign while it runs.
type campaignRun struct {
	*plan
	flags  *campaignflags.Flags
	words  []string
	search *search.Campaign
	// pool makes the runs, otherPool repeats some with other settings of the Go runtime.
	pool, otherPool *runPool
	// earlier is the summary of the journal that --against names.
	earlier *campaign.Summary
	page    *pagefile.File
	// canaryFound means that a planted violation was found before the first run.
	canaryFound bool
}

// prepare makes the units of the campaign, and opens the journals.
func (c *campaignRun) prepare() error {
	f := c.flags
	c.search = &search.Campaign{Summary: campaign.New(), Workers: c.workers, Budget: f.Budget,
		OpenEnded: f.OpenEnded, StopAtFirst: f.StopAtFirst, Progress: c.app.progress(f.Quiet),
		Stderr: c.app.Stderr}
	if f.Shrink > 0 {
		c.search.Shrink = c.shrinkRun
	}
	drawn := make([]bool, len(c.jobs))
	for i := range c.jobs {
		drawn[i] = f.OpenEnded && explore.IsDrawn(c.jobs[i].scenario, c.jobs[i].subject)
	}
	for _, strategy := range f.Strategies {
		for i := range c.jobs {
			j := &c.jobs[i]
			if strategy == explore.Plain || explore.CanChange(strategy, j.scenario, j.subject) {
				c.addUnit(j, strategy, drawn[i])
			}
		}
	}
	if len(c.search.Units) == 0 {
		return usagef("--shard %s: no run falls to it; there must be at least as many seeds as shards",
			f.Shard)
	}
	for i := range c.jobs {
		if f.Shard != "" {
			break // what one shard does not reach, another one may
		}
		c.search.Summary.Expect(c.jobs[i].scenario.Name, c.jobs[i].scenario.Expect.Probes)
	}
	if f.Against != "" {
		var err error
		if c.earlier, err = journal.Summarize(f.Against); err != nil {
			return Usage(fmt.Errorf("--against: %w", err))
		}
	}
	if err := c.openJournal(); err != nil {
		return err
	}
	c.page = &pagefile.File{Path: cmp.Or(f.Page, c.ownFile(".html")), Summary: c.search.Summary,
		Earlier: c.earlier}
	c.search.Counted = c.page.Update
	return nil
}

// addUnit adds a scenario with a strategy, if some of its seeds belong to the shard.
func (c *campaignRun) addUnit(j *job, strategy string, drawn bool) {
	with := *c.plan
	with.setStrategy(strategy)
	first, step, some := c.flags.ShardParts.Of(j.scenario.Name, with.strategy, j.first, j.last)
	if !some {
		return
	}
	c.search.Units = append(c.search.Units, search.Unit{Scenario: j.scenario.Name, Strategy: with.strategy,
		First: first, Last: j.last, Step: step, Drawn: drawn,
		Run: func(ctx context.Context, seed uint64) search.Result {
			o, answer := with.ask(ctx, c.pool, j, seed)
			made := o.campaign()
			made.CPU, made.AfterCanary = answer.CPU, c.canaryFound
			return search.Result{Outcome: made, Behaviour: answer.Behaviour}
		},
		Repeat: func(ctx context.Context, seed uint64) (string, error) {
			o, _ := with.ask(ctx, c.otherPool, j, seed)
			return o.line.Digest, o.err
		}})
}

// ownFile is a file of the campaign in the folder of runs.
func (c *campaignRun) ownFile(extension string) string {
	name := strings.Replace("campaign-"+c.flags.Shard, "/", "-of-", 1)
	return filepath.Join(c.runs, strings.TrimSuffix(name, "-")+extension)
}

// openJournal opens the journal and restores the runs that it holds.
func (c *campaignRun) openJournal() error {
	path := cmp.Or(c.flags.Journal, c.ownFile(".jsonl"))
	texts, err := c.scenarioDigests()
	if err != nil {
		return err
	}
	of := journal.Campaign{Texts: texts, Probes: map[string][]string{}, Shard: c.flags.ShardParts.String()}
	for i := range c.jobs {
		of.Probes[c.jobs[i].scenario.Name] = c.jobs[i].scenario.Expect.Probes
	}
	opened, completed, err := journal.Open(path, c.flags.Restart, of)
	switch {
	case errors.Is(err, journal.ErrUnusable):
		return Usage(err)
	case err != nil:
		return internalError(err)
	}
	c.search.Journal = opened
	c.search.Restore(completed)
	if c.search.Restored > 0 && !c.flags.Quiet {
		of := ""
		if !c.flags.OpenEnded {
			of = fmt.Sprintf("of %d ", c.search.Runs())
		}
		fmt.Fprintf(c.app.Stderr, "%d %sruns are already in %s\n", c.search.Restored, of, path)
	}
	return nil
}

// run makes the missing runs. First it makes sure that a violation would be found at all.
func (c *campaignRun) run(ctx context.Context) error {
	c.pool, c.otherPool = c.newPool(), c.newPool()
	c.otherPool.Env = search.OtherSettings
	defer c.pool.Close()
	defer c.otherPool.Close()
	answer, err := c.pool.Ask(ctx, runRequest{Word: canary.Word, Seed: defaultSeed})
	if ctx.Err() != nil {
		err = nil // there is nothing to run
	} else if err == nil && answer.Line.Verdict != linearizability.Invalid {
		return internalError(fmt.Errorf("a register that forgets writes was found %s, so the campaign would "+
			"find nothing%s", answer.Line.Verdict, answer.Error))
	}
	c.canaryFound = err == nil && ctx.Err() == nil
	if err = errors.Join(err, c.search.Run(ctx)); err != nil {
		return internalError(err)
	}
	return nil
}

// smallFile is the name of the smaller scenario in the folder of the failed run.
const smallFile = "small.yaml"

// shrinkRun makes a failed run small and reports where the result is.
func (c *campaignRun) shrinkRun(ctx context.Context, o *campaign.Outcome, checker string) (*campaign.Small,
	error) {
	s, err := shrinkCommand{c.app}.readFailure(o.Folder, defaultSeed)
	if err != nil {
		return nil, err
	}
	s.Property, s.Seeds, s.Limit = checker, shrink.DefaultSeeds, c.flags.Shrink
	s.Out, s.Stdout = filepath.Join(o.Folder, smallFile), c.app.Stderr
	defer shrinkCommand{c.app}.serve(s, c.workers, c.search.Progress)()
	err = s.Run(ctx)
	return s.Result(), err
}
