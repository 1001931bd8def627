package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/campaignflags"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/tally"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// runFlags are the flags of run.
type runFlags struct {
	on          string
	seed        uint64
	seeds       string
	runs        string
	timescale   string
	topology    string
	etc         string
	strict      bool
	json, quiet bool
	keep        bool
	twice       bool
	all         bool
	strategy    string
	workers     int
}

const runHelp = `Runs scenarios and judges them. SCENARIO is a file, or the name of a scenario of the library
(NAME scenario list).

With one seed the result is printed and the run's folder is written to RUNS/<scenario>/<seed>, with a
link RUNS/<scenario>/latest beside it; open report.html there. With --seeds only unexpected runs are
printed and kept, and one line counts all of them.

Every failure ends with a command that reproduces it.`

func (a *app) newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO...",
		Short: "Run scenarios and judge them",
		Long:  a.examples(runHelp),
		Example: a.examples(`  NAME run my-scenario.yaml                run a file once
  NAME run my-scenario.yaml --seed 42      run it with another seed
  NAME run my-scenario.yaml --seeds 1-200  search for a seed that fails
  NAME run --all --seeds 20 --twice        run the library, each seed twice; digests must match`),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args, &f, cmd.Flags().Changed("seed"))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.on, "on", a.Backends[0].Name, "`backend` to run on: "+a.backendList())
	flags.Uint64Var(&f.seed, "seed", defaultSeed, "`seed` of the run; the same seed gives the same run")
	flags.StringVar(&f.seeds, "seeds", "", "run the seeds `A-B`; N means 1-N")
	flags.StringVar(&f.runs, "runs", defaultRuns, "`folder` for run folders")
	flags.StringVar(&f.timescale, "timescale", "",
		"on real nodes, multiply all times of scenario and subject by this `ratio`,"+
			"\nsuch as 0.2 or 1/5 (default: what fits into a minute)")
	flags.BoolVar(&f.json, "json", false, "print one line of JSON for each run")
	flags.BoolVar(&f.quiet, "quiet", false, "print unexpected runs only, and no progress")
	flags.BoolVar(&f.keep, "keep", false, "with --seeds, keep the folders of all runs")
	flags.BoolVar(&f.twice, "twice", false, "run every seed twice and compare the digests (simulator)")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "worker `processes` for --seeds (simulator)")
	flags.BoolVar(&f.all, "all", false, "run every scenario of the library")
	flags.StringVar(&f.strategy, "strategy", explore.Plain, campaignflags.StrategyHelp())
	if a.hasTopologies() {
		flags.StringVar(&f.topology, "topology", "", "take machines and votes from this `corosync.conf`")
		flags.BoolVar(&f.strict, "strict-topology", false, campaignflags.StrictHelp)
	}
	if a.hasEtc() {
		flags.StringVar(&f.etc, "etc", "",
			"take machines and services from this `folder`, a copy of /etc/pve")
	}
	return cmd
}

func (a *app) run(ctx context.Context, words []string, f *runFlags, seedGiven bool) error {
	p, err := a.planRun(words, f, seedGiven)
	if err != nil {
		return err
	}
	worst := linearizability.Valid
	for i := range p.jobs {
		v, err := p.runJob(ctx, &p.jobs[i], f)
		if err != nil {
			return err
		}
		if worst = worseValidity(worst, v); ctx.Err() != nil {
			break
		}
	}
	return exitFor(worst)
}

// planRun checks the flags and reads the scenarios.
func (a *app) planRun(words []string, f *runFlags, seedGiven bool) (*plan, error) {
	if f.etc != "" && f.topology != "" {
		return nil, usagef("--etc and --topology exclude each other: the folder has a corosync.conf")
	}
	p := &plan{app: a, runs: f.runs, etc: f.etc, keepAll: f.keep || f.seeds == "", alone: f.seeds == "",
		twice: f.twice, workers: max(f.workers, 1), topology: f.topology, timescaleFlag: f.timescale}
	if !slices.Contains(explore.Names(), f.strategy) {
		return nil, usagef("--strategy %q: write one of %s", f.strategy,
			strings.Join(explore.Names(), ", "))
	}
	var err error
	if f.timescale != "" {
		if p.timescale, err = timescale.Parse(f.timescale); err != nil {
			return nil, usagef("--timescale: %w", err)
		}
	}
	p.setStrategy(f.strategy)
	if p.backend, err = a.findBackend(f.on, p.timescale); err != nil {
		return nil, err
	}
	first, last := f.seed, f.seed
	if f.seeds != "" {
		if seedGiven {
			return nil, usagef("--seed and --seeds exclude each other")
		}
		if first, last, err = parseSeeds(f.seeds); err != nil {
			return nil, err
		}
	}
	if p.jobs, err = a.readJobs(words, f.all, origin{f.topology, f.etc}); err != nil {
		return nil, err
	}
	if !f.json && !f.quiet {
		p.printImported(a.Stderr)
	}
	if f.strict {
		if err := rejectPartial(p.jobs); err != nil {
			return nil, err
		}
	}
	for i := range p.jobs {
		p.jobs[i].first, p.jobs[i].last = first, last
	}
	return p, nil
}

// minSeedsPerWorker is how many seeds make the start of another process worthwhile.
const minSeedsPerWorker = 8

// runJob makes the runs of a job, prints them and returns the worst result.
func (p *plan) runJob(ctx context.Context, j *job, f *runFlags) (linearizability.Validity, error) {
	begin := time.Now()
	progress := p.app.progress(f.quiet)
	defer progress.Clear()
	counts := tally.New(j.scenario)
	sinks := []sink{tallySink{counts}, p.app.runSink(f, progress)}
	emit := func(o *outcome) error {
		if o.err != nil {
			return internalError(fmt.Errorf("%s\n%s\n  %s", problemText(o.err), reproduceTitle,
				o.line.Reproduce))
		}
		return takeAll(sinks, o)
	}
	many := f.seeds != ""
	workers := min(uint64(p.workers), (j.last-j.first+1)/minSeedsPerWorker)
	var err error
	if many && workers > 1 && p.backend.Name == p.app.Backends[0].Name {
		p.workers = int(workers)
		err = p.runInWorkers(ctx, j, emit)
	} else {
		err = p.runInProcess(ctx, j, progress, emit)
	}
	if err != nil {
		var known *exit
		if errors.As(err, &known) {
			return linearizability.Unknown, err
		}
		return linearizability.Unknown, internalError(err)
	}
	progress.Clear()
	return p.app.endOfJob(ctx, j, counts, f, time.Since(begin)), nil
}

// endOfJob prints the results of all seeds of a job and returns the worst result.
func (a *app) endOfJob(ctx context.Context, j *job, t *tally.Tally, f *runFlags,
	took time.Duration) linearizability.Validity {
	worst := t.Worst
	if ctx.Err() != nil {
		fmt.Fprintf(a.Stderr, "interrupted during %s, after %d of %d runs\n", j.scenario.Name, t.Total(),
			j.last-j.first+1)
		worst = worseValidity(worst, linearizability.Unknown)
	}
	if f.seeds == "" {
		return worst
	}
	if missed := t.MissedProbes(); len(missed) > 0 {
		// A path that no seed took was not shown to be correct.
		t.PrintMissedProbes(a.Stderr, missed)
		worst = worseValidity(worst, linearizability.Unknown)
	}
	if !f.json && (!f.quiet || t.FirstBad != "") {
		t.Print(a.Stdout, took)
	}
	return worst
}
