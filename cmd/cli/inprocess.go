package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/sim"
)

// runInProcess makes the runs of a job in this process, one after the other, and passes each outcome
// on. It ends early when the context does, or with the first error of emit.
func (p *plan) runInProcess(ctx context.Context, j *job, progress *progress.Line,
	emit func(*outcome) error) error {
	for seed := j.first; ; seed++ {
		progress.StartRun(fmt.Sprintf("%s, seed %d", j.scenario.Name, seed))
		begin := time.Now()
		o, err := p.makeRun(ctx, j, seed, progress)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			o = p.failedOutcome(j, seed, fmt.Errorf("%s, seed %d: %w", j.scenario.Name, seed, err))
		}
		o.took = time.Since(begin)
		if err := emit(o); err != nil || seed == j.last {
			return err
		}
	}
}

// makeRun makes the run of one seed and writes its folder, unless it ended as expected and only
// unexpected runs are kept.
func (p *plan) makeRun(ctx context.Context, j *job, seed uint64, progress *progress.Line) (*outcome, error) {
	run, records, err := p.simulate(ctx, j, seed, progress)
	if records != nil {
		defer records.Close()
	}
	if err != nil {
		return nil, err
	}
	o := &outcome{job: j, run: run,
		line: runLine{Summary: reports.Summarize(run), Outcome: expectationMet(run)}}
	if !p.bare && (p.keepAll || o.line.Outcome != linearizability.Valid) {
		dir := filepath.Join(p.runs, j.scenario.Name, strconv.FormatUint(seed, 10))
		if p.strategy != "" {
			dir += "-" + p.strategy
		}
		paths, err := reports.Options{Scenario: scenarios.Marshal, Records: records}.WriteRun(dir, run)
		if err != nil {
			return nil, err
		}
		o.line.Dir, o.line.Page = paths.Dir, paths.Page
	}
	return o, nil
}

// errDigest means that one seed gave two different runs.
var errDigest = errors.New("the same seed gave two different runs")

// simulate runs a scenario with a seed. The recorder, which the caller closes, holds the records of a
// run whose folder will be written; it is nil for others.
func (p *plan) simulate(ctx context.Context, j *job, seed uint64, progress *progress.Line) (
	run *scenarios.Run, records *reports.Recorder, err error) {
	runner := p.backend.Runner
	if p.strategy != "" {
		changed := *j
		changed.scenario, changed.subject, err = explore.Apply(p.strategy, j.scenario, j.subject, seed)
		if err != nil {
			return nil, nil, err
		}
		j = &changed
	}
	options := scenarios.RunOptions{Seed: seed, Timescale: p.timescale, Progress: progress.Report,
		KeepLogs: p.keepAll, Records: dropRecord, Alone: p.alone, Branches: p.branches}
	if p.behaviour != nil {
		options.Records = p.behaviour.Record
	}
	if options.KeepLogs {
		if records, err = reports.NewRecorder(p.runs); err != nil {
			return nil, nil, err
		}
		options.Records = records.Take
	}
	if run, err = runner.Run(ctx, j.scenario, j.subject, options); err != nil {
		return nil, records, err
	}
	if p.behaviour != nil {
		p.behaviour.Probes(run.Probes)
	}
	if cutShort := run.Backend == sim.Backend && run.Digest == ""; p.twice && !cutShort {
		options := options
		options.Records = dropRecord
		again, err := runner.Run(ctx, j.scenario, j.subject, options)
		if err != nil {
			return nil, records, err
		}
		if run.Digest == "" || again.Digest != run.Digest {
			return nil, records, fmt.Errorf("%w: digests %q and %q\n%s", errDigest, run.Digest, again.Digest,
				p.divergence(ctx, j, options))
		}
	}
	if expectationMet(run) != linearizability.Valid && !p.bare && !options.KeepLogs && run.Digest != "" {
		// The same run again, now with log lines and all records for its folder.
		if records, err = reports.NewRecorder(p.runs); err != nil {
			return nil, nil, err
		}
		options.KeepLogs, options.Records = true, records.Take
		if run, err = runner.Run(ctx, j.scenario, j.subject, options); err != nil {
			return nil, records, err
		}
	}
	run.Reproduce = p.reproduceCommand(j, seed)
	return run, records, nil
}

// dropRecord is for runs whose records are not kept.
func dropRecord(scenarios.Stamped) {}

// divergenceFinder is a runner that finds where two runs of one seed begin to differ.
type divergenceFinder interface {
	Diverge(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject,
		o scenarios.RunOptions) (string, error)
}

func (p *plan) divergence(ctx context.Context, j *job, o scenarios.RunOptions) string {
	d, ok := p.backend.Runner.(divergenceFinder)
	if !ok {
		return ""
	}
	where, err := d.Diverge(ctx, j.scenario, j.subject, o)
	if err != nil {
		return err.Error()
	}
	return where
}
