package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// expedition is a campaign that is under way.
type expedition struct {
	app      *app
	flags    *campaignFlags
	words    []string
	jobs     []job
	journal  *journal
	summary  *campaign.Summary
	progress *progress
	begun    time.Time

	outcomes []campaign.Outcome
	seeds    int // how many the campaign is to make in all
	before   int // how many of them were made by earlier parts of it
}

// take counts the runs of earlier parts of the campaign, each once.
func (e *expedition) take(made []campaign.Outcome) {
	asked := map[string]*job{}
	for i := range e.jobs {
		e.jobs[i].made = map[uint64]bool{}
		asked[e.jobs[i].scenario.Name] = &e.jobs[i]
	}
	for i := range made {
		j := asked[made[i].Scenario]
		if seed := made[i].Seed; seed < j.first || seed > j.last || j.made[seed] {
			continue
		}
		j.made[made[i].Seed] = true
		e.before++
		e.count(&made[i])
	}
	if e.before > 0 && !e.flags.quiet {
		fmt.Fprintf(e.app.Stderr, "%d of %d runs are in %s already\n", e.before, e.seeds, e.journal.path)
	}
}

func (e *expedition) count(o *campaign.Outcome) {
	e.summary.Add(*o)
	kept := *o
	if !kept.Failed() {
		kept.Probes = nil // of a million runs only the failed ones are told in full
	}
	e.outcomes = append(e.outcomes, kept)
}

// blockSeeds is how many seeds a worker process is given at a time.
const blockSeeds = 25

// block is a part of a job.
type block struct {
	job   *job
	share [2]uint64
}

// blocks are what is left to do, the scenarios taking turns.
func (e *expedition) blocks() (all []block) {
	next := make([]uint64, len(e.jobs))
	for i := range e.jobs {
		next[i] = e.jobs[i].first
	}
	for left := true; left; {
		left = false
		for i := range e.jobs {
			j := &e.jobs[i]
			for next[i] <= j.last && j.made[next[i]] {
				next[i]++
			}
			if next[i] > j.last {
				continue
			}
			b := block{j, [2]uint64{next[i], next[i]}}
			for b.share[1] < j.last && b.share[1]-b.share[0]+1 < blockSeeds && !j.made[b.share[1]+1] {
				b.share[1]++
			}
			all, next[i], left = append(all, b), b.share[1]+1, true
		}
	}
	return all
}

// run makes the runs that are missing.
func (e *expedition) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue, results := make(chan block), make(chan campaign.Outcome)
	var workers sync.WaitGroup
	for range e.flags.workers {
		workers.Go(func() {
			for b := range queue {
				e.carryOut(ctx, b, results)
			}
		})
	}
	go func() {
		defer close(queue)
		for _, b := range e.blocks() {
			if e.flags.budget > 0 && time.Since(e.begun) >= e.flags.budget {
				return
			}
			select {
			case queue <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() { workers.Wait(); close(results) }()
	var failed error
	for o := range results {
		if failed != nil {
			continue
		}
		if failed = e.journal.note(&o); failed != nil {
			cancel()
			continue
		}
		e.count(&o)
		e.show(&o)
	}
	return failed
}

// carryOut makes the runs of a block. When a run cannot be made, that is noted, and the next one follows.
func (e *expedition) carryOut(ctx context.Context, b block, results chan<- campaign.Outcome) {
	f := e.flags
	s := &session{app: e.app, flags: &runFlags{on: e.app.defaultBackend(), runs: f.runs, topology: f.topology}, many: true}
	for next := b.share[0]; next <= b.share[1] && ctx.Err() == nil; next++ {
		lines, ended := make(chan []byte), make(chan error, 1)
		go func() {
			defer close(lines)
			ended <- s.worker(ctx, b.job, [2]uint64{next, b.share[1]}, lines)
		}()
		var unreadable error
		since := time.Now()
		for text := range lines {
			var line workerLine
			if err := json.Unmarshal(text, &line); err != nil {
				unreadable = errors.Join(unreadable, fmt.Errorf("reading a worker's line: %w", err))
				continue
			}
			o := campaign.Of(line.Summary, time.Since(since))
			o.Folder, o.File = line.Dir, b.job.source.annotated()
			if !o.Failed() {
				o.Checks = nil // of what came out as expected nobody asks which check said so
			}
			since = time.Now()
			results <- o
			next = line.Seed + 1
		}
		err := errors.Join(<-ended, unreadable)
		if ctx.Err() != nil || next > b.share[1] {
			return
		}
		if err == nil {
			err = errors.New("the worker ended without a word")
		}
		results <- campaign.Outcome{Scenario: b.job.scenario.Name, Seed: next, Expected: b.job.scenario.Expect.Verdict,
			Problem: problemOf(err), Reproduce: s.reproduce(b.job, next), File: b.job.source.annotated(), Took: time.Since(since)}
	}
}

// maxProblemBytes bounds what a summary says about a run that could not be made.
const maxProblemBytes = 2000

// problemOf is what a worker said of the run that it could not make, without the commands to see it
// again, which the campaign gives itself.
func problemOf(err error) string {
	text := err.Error()
	var w *workerError
	if errors.As(err, &w) && w.said != "" {
		text, _, _ = strings.Cut(strings.TrimPrefix(w.said, "holdfast: "), "\nto see it again:")
	}
	return strings.ToValidUTF8(text[:min(len(text), maxProblemBytes)], "")
}

// annotated is the scenario's file, when it is one of the repository that runs the campaign.
func (s *source) annotated() string {
	if isPath(s.word) {
		return s.file
	}
	return ""
}
