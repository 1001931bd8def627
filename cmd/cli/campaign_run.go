package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/journal"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/turns"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// campaignRun is a campaign while it runs.
type campaignRun struct {
	*plan
	units    []campaignUnit
	flags    *campaignFlags
	words    []string
	journal  *journal.Journal
	progress *progress.Line
	begin    time.Time

	summary  *campaign.Summary
	outcomes []campaign.Outcome
	seeds    int // how many runs the campaign has in all
	restored int // how many of them earlier parts of it have made

	chooser    *turns.Chooser
	behaviours map[uint32]bool // what any run has done
	failed     map[campaign.GroupKey]bool
	stop       context.CancelFunc
}

// campaignUnit is one scenario with one strategy.
type campaignUnit struct {
	*plan
	job *job
	// done are the seeds that earlier parts of the campaign have run.
	done map[uint64]bool
}

func newCampaignRun(p *plan, words []string, f *campaignFlags) *campaignRun {
	c := &campaignRun{plan: p, flags: f, words: words, summary: campaign.New(),
		progress: p.app.progress(f.quiet), begin: time.Now(), behaviours: map[uint32]bool{},
		failed: map[campaign.GroupKey]bool{}}
	for _, strategy := range f.strategies {
		with := *p
		with.setStrategy(strategy)
		for i := range p.jobs {
			j := &p.jobs[i]
			if strategy != explore.Plain && !canBeChanged(j) {
				continue
			}
			c.units = append(c.units, campaignUnit{&with, j, map[uint64]bool{}})
			c.seeds += int(j.last-j.first) + 1
		}
	}
	for i := range p.jobs {
		c.summary.Expect(p.jobs[i].scenario.Name, p.jobs[i].scenario.Expect.Probes)
	}
	return c
}

// canBeChanged reports whether strategies apply to a scenario. A scenario that documents a violation expects
// that one, and not any.
func canBeChanged(j *job) bool {
	if j.scenario.Expect.Verdict != "valid" {
		return false
	}
	_, _, err := explore.Apply(explore.Strategies()[1].Name, j.scenario, j.subject, j.first)
	return err == nil
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
	type name struct{ scenario, strategy string }
	byName := map[name]*campaignUnit{}
	for i := range c.units {
		u := &c.units[i]
		byName[name{u.job.scenario.Name, u.strategy}] = u
	}
	for i := range completed {
		o := &completed[i]
		u := byName[name{o.Scenario, o.Strategy}]
		if u == nil || o.Seed < u.job.first || o.Seed > u.job.last || u.done[o.Seed] {
			continue
		}
		u.done[o.Seed] = true
		c.restored++
		c.count(o)
		c.failed[o.Group()] = c.failed[o.Group()] || o.Failed()
	}
	if c.restored > 0 && !c.flags.quiet {
		if c.flags.openEnded {
			fmt.Fprintf(c.app.Stderr, "%d runs are already in %s\n", c.restored, c.journal.Path())
			return
		}
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

// run makes the missing runs. Each outcome goes into the journal first: what was counted or shown is
// never run again.
func (c *campaignRun) run(ctx context.Context) error {
	var units []turns.Unit
	for i := range c.units {
		u := &c.units[i]
		units = append(units, turns.Unit{First: u.job.first, Last: u.job.last, Has: u.done})
	}
	c.chooser = turns.New(units, c.flags.openEnded)
	ctx, c.stop = context.WithCancel(ctx)
	defer c.stop()
	pool := c.newPool()
	defer pool.Close()
	sinks := []sink{journalSink{c.journal}, (*countSink)(c), (*failureSink)(c), &shrinkSink{c, ctx},
		(*statusSink)(c)}
	err := c.makeRuns(ctx, pool, sinks)
	c.progress.Clear()
	return errors.Join(err, c.journal.Close())
}

// makeRuns lets the workers make one run after the other until there is none left, the time is over, or the
// context ends.
func (c *campaignRun) makeRuns(ctx context.Context, pool *runPool, sinks []sink) error {
	return workers.Each(ctx, pool.Size(), func() (workers.Task, bool) {
		if c.flags.budget > 0 && time.Since(c.begin) >= c.flags.budget {
			return nil, false
		}
		index, seed, ok := c.chooser.Next()
		return func() func() error {
			o, behaviour := c.units[index].ask(ctx, pool, c.units[index].job, seed)
			return func() error {
				c.chooser.Ended(index, o.took, c.newBehaviours(behaviour))
				return takeAll(sinks, o)
			}
		}, ok
	})
}

// newBehaviours counts what no run has done before.
func (c *campaignRun) newBehaviours(behaviour []uint32) int {
	before := len(c.behaviours)
	for _, number := range behaviour {
		c.behaviours[number] = true
	}
	return len(c.behaviours) - before
}

// countSink is the sink that counts outcomes.
type countSink campaignRun

// take implements sink.
func (s *countSink) take(o *outcome) error {
	of := o.campaign()
	(*campaignRun)(s).count(&of)
	return nil
}

// failureSink is the sink that prints the first failed run of each group at once.
type failureSink campaignRun

// maxPrintedFailures is how many failed runs of a group are printed while the campaign runs.
const maxPrintedFailures = 3

// take implements sink.
func (s *failureSink) take(o *outcome) error {
	of := o.campaign()
	if !of.Failed() || s.summary.Group(of.Group()).Runs > maxPrintedFailures {
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
	if s.flags.openEnded {
		s.progress.Show(fmt.Sprintf("%d runs, %d failed in %d ways, %d kinds of behaviour", s.summary.Runs,
			s.summary.Failed, len(s.summary.Groups), len(s.behaviours)))
		return nil
	}
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
