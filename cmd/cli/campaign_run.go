package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// campaignRun is a campaign while it runs.
type campaignRun struct {
	*plan
	flags    *campaignFlags
	words    []string
	journal  *journal.Journal
	progress *progress.Line
	begin    time.Time

	summary  *campaign.Summary
	outcomes []campaign.Outcome
	seeds    int // how many runs the campaign has in all
	restored int // how many of them earlier parts of it have made
}

func newCampaignRun(p *plan, words []string, f *campaignFlags) *campaignRun {
	c := &campaignRun{plan: p, flags: f, words: words, summary: campaign.New(),
		progress: p.app.progress(f.quiet),
		begin:    time.Now()}
	for i := range p.jobs {
		j := &p.jobs[i]
		c.summary.Expect(j.scenario.Name, j.scenario.Expect.Probes)
		c.seeds += int(j.last-j.first) + 1
	}
	return c
}

// openJournal opens the journal and restores the runs that it holds.
func (c *campaignRun) openJournal() error {
	path := c.flags.journal
	if path == "" {
		path = filepath.Join(c.runs, "campaign.jsonl")
	}
	texts, err := c.scenarioDigests()
	if err != nil {
		return err
	}
	var completed []campaign.Outcome
	c.journal, completed, err = journal.Open(path, c.flags.restart, texts)
	switch {
	case errors.Is(err, journal.ErrUnusable):
		return Usage(err)
	case err != nil:
		return internalError(err)
	}
	c.restore(completed)
	return nil
}

// restore counts the runs of earlier parts of the campaign, each once.
func (c *campaignRun) restore(completed []campaign.Outcome) {
	byName := map[string]*job{}
	for i := range c.jobs {
		c.jobs[i].completed = map[uint64]bool{}
		byName[c.jobs[i].scenario.Name] = &c.jobs[i]
	}
	for i := range completed {
		j := byName[completed[i].Scenario]
		if seed := completed[i].Seed; seed < j.first || seed > j.last || j.completed[seed] {
			continue
		}
		j.completed[completed[i].Seed] = true
		c.restored++
		c.count(&completed[i])
	}
	if c.restored > 0 && !c.flags.quiet {
		fmt.Fprintf(c.app.Stderr, "%d of %d runs are already in %s\n", c.restored, c.seeds, c.journal.Path())
	}
}

func (c *campaignRun) count(o *campaign.Outcome) {
	c.summary.Add(*o)
	kept := *o
	if !kept.Failed() {
		kept.Probes = nil // of a million runs only the failed ones are kept whole
	}
	c.outcomes = append(c.outcomes, kept)
}

// blockSeeds is how many seeds a worker process gets at a time.
const blockSeeds = 25

// run makes the missing runs. Each outcome goes into the journal first: what was counted or shown is
// never run again.
func (c *campaignRun) run(ctx context.Context) error {
	sinks := []sink{journalSink{c.journal}, (*countSink)(c), (*failureSink)(c), (*statusSink)(c)}
	inTime := func() bool { return c.flags.budget == 0 || time.Since(c.begin) < c.flags.budget }
	err := c.runInWorkers(ctx, openBlocks(c.jobs, blockSeeds), inTime, func(o *outcome) error {
		return takeAll(sinks, o)
	})
	c.progress.Clear()
	return errors.Join(err, c.journal.Close())
}

// countSink is the sink that counts outcomes.
type countSink campaignRun

// take implements sink.
func (s *countSink) take(o *outcome) error {
	of := o.campaign()
	(*campaignRun)(s).count(&of)
	return nil
}

// failureSink is the sink that prints failed runs at once.
type failureSink campaignRun

// take implements sink.
func (s *failureSink) take(o *outcome) error {
	of := o.campaign()
	if !of.Failed() {
		return nil
	}
	s.progress.Clear()
	_, err := fmt.Fprintf(s.app.Stderr, "%s: %s\n  %s\n", o.title(), firstLine(of.Why()), of.Reproduce)
	return err
}

// statusSink is the sink that shows how far the campaign is.
type statusSink campaignRun

// take implements sink.
func (s *statusSink) take(*outcome) error {
	left := ""
	if done := s.summary.Runs - s.restored; done > 0 {
		each := time.Since(s.begin) / time.Duration(done)
		rest := each * time.Duration(s.seeds-s.summary.Runs)
		if s.flags.budget > 0 {
			rest = min(rest, s.flags.budget-time.Since(s.begin))
		}
		left = fmt.Sprintf(", about %s left", max(rest, 0).Round(time.Second))
	}
	s.progress.Show(fmt.Sprintf("%d of %d runs, %d failed%s",
		s.summary.Runs, s.seeds, s.summary.Failed, left))
	return nil
}
