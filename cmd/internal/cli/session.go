package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// session runs jobs and prints what comes out.
type session struct {
	app         *app
	flags       *runFlags
	runner      scenarios.Runner
	timescale   scenarios.Timescale
	progress    *progress
	first, last uint64
	many        bool // several seeds: only what is unexpected is shown
}

// tally counts the outcomes of a job's seeds.
type tally struct {
	expected, invalid, unknown int
	firstBad                   string // the command for the first unexpected one
	probes                     map[string]int
}

// reached adds the rare paths that a run took.
func (t *tally) reached(probes map[string]int) {
	if t.probes == nil {
		t.probes = map[string]int{}
	}
	for id, n := range probes {
		t.probes[id] += n
	}
}

// missed lists the rare paths that the scenario wants some seed to take and that none took.
func (t *tally) missed(s *scenarios.Scenario) []string {
	var missed []string
	for _, id := range s.Expect.Probes {
		if t.probes[id] == 0 {
			missed = append(missed, id)
		}
	}
	return missed
}

// run runs all seeds of a job.
func (s *session) run(ctx context.Context, j *job) (linearizability.Validity, error) {
	var t tally
	begun := time.Now()
	defer s.progress.clear()
	var worst linearizability.Validity
	var err error
	if shares := s.shares(j); len(shares) > 1 {
		worst, err = s.shared(ctx, j, shares, &t)
		if err != nil {
			return linearizability.Unknown, internal(err)
		}
		if ctx.Err() != nil {
			s.interrupted(j, fmt.Sprintf(" after %d seeds", t.expected+t.invalid+t.unknown))
		}
	} else if worst, err = s.alone(ctx, j, &t); err != nil {
		return linearizability.Unknown, err
	}
	if ctx.Err() != nil {
		worst = worse(worst, linearizability.Unknown)
	}
	if missed := t.missed(j.scenario); s.many && len(missed) > 0 {
		// What no seed did was not shown to be right.
		fmt.Fprintf(s.app.Stderr, "%s: no seed reached %s; run more seeds, or make the story reach it\n",
			j.scenario.Name, strings.Join(missed, ", "))
		worst = worse(worst, linearizability.Unknown)
	}
	if s.many && !s.flags.json {
		s.summary(j, &t, time.Since(begun))
	}
	return worst, nil
}

func (s *session) interrupted(j *job, where string) {
	s.progress.clear()
	fmt.Fprintf(s.app.Stderr, "interrupted during %s%s\n", j.scenario.Name, where)
}

// alone runs the seeds of a job in this process, one after the other.
func (s *session) alone(ctx context.Context, j *job, t *tally) (linearizability.Validity, error) {
	worst := linearizability.Valid
	for seed := j.first; ; seed++ {
		s.progress.run(fmt.Sprintf("%s, seed %d", j.scenario.Name, seed))
		v, err := s.one(ctx, j, seed, t)
		if ctx.Err() != nil {
			s.interrupted(j, fmt.Sprintf(", seed %d", seed))
			return worst, nil
		}
		if err != nil {
			return linearizability.Unknown, internal(fmt.Errorf("%s, seed %d: %w\nto see it again:\n  %s",
				j.scenario.Name, seed, err, s.reproduce(j, seed)))
		}
		t.count(v, s.reproduce(j, seed))
		worst = worse(worst, v)
		if seed == j.last {
			return worst, nil
		}
	}
}

func (t *tally) count(v linearizability.Validity, command string) {
	switch v {
	case linearizability.Valid:
		t.expected++
		return
	case linearizability.Invalid:
		t.invalid++
	default:
		t.unknown++
	}
	if t.firstBad == "" {
		t.firstBad = command
	}
}

// summary is the line about all seeds of a job.
func (s *session) summary(j *job, t *tally, took time.Duration) {
	if s.flags.quiet && t.firstBad == "" {
		return
	}
	words := "valid"
	if j.scenario.Expect.Verdict != "valid" {
		words = j.scenario.Expect.Verdict + " as expected"
	}
	s.progress.clear()
	fmt.Fprintf(s.app.Stdout, "%s: %d seeds: %d %s, %d not, %d unknown (%s)\n", j.scenario.Name,
		t.expected+t.invalid+t.unknown, t.expected, words, t.invalid, t.unknown, took.Round(10*time.Millisecond))
	if t.firstBad != "" {
		fmt.Fprintf(s.app.Stdout, "the first one again:\n  %s\n", t.firstBad)
	}
}

// one runs one seed, shows and keeps it as the flags say, and returns how it came out: valid
// means as expected.
func (s *session) one(ctx context.Context, j *job, seed uint64, t *tally) (linearizability.Validity, error) {
	run, records, err := s.play(ctx, j, seed)
	if records != nil {
		defer records.Close()
	}
	if err != nil {
		return linearizability.Unknown, err
	}
	t.reached(run.Probes)
	v := outcome(run)
	shown := !s.many && !s.flags.quiet || v != linearizability.Valid
	var paths reports.Paths
	if shown || s.flags.keep || !s.many {
		dir := filepath.Join(s.flags.runs, j.scenario.Name, strconv.FormatUint(seed, 10))
		paths, err = reports.Options{Scenario: scenarios.Marshal, Records: records}.WriteRun(dir, run)
		if err != nil {
			return v, err
		}
	}
	s.progress.clear()
	switch {
	case s.flags.json:
		return v, s.app.line(run, paths)
	case shown:
		return v, reports.TextOptions{Color: s.app.color(), Page: paths.Page}.Text(s.app.Stdout, run)
	}
	return v, nil
}

// errDigest means that one seed gave two different runs.
var errDigest = errors.New("the same seed gave two different runs")

// play makes the run of a seed. The recorder, which the caller closes, has the run's records if its
// folder is going to be written.
func (s *session) play(ctx context.Context, j *job, seed uint64) (run *scenarios.Run, records *reports.Recorder, err error) {
	options := scenarios.RunOptions{Seed: seed, Timescale: s.timescale, Progress: s.progress.report,
		KeepLogs: !s.many || s.flags.keep, Records: dropRecord}
	if options.KeepLogs {
		if records, err = reports.NewRecorder(s.flags.runs); err != nil {
			return nil, nil, err
		}
		options.Records = records.Take
	}
	if run, err = s.runner.Run(ctx, j.scenario, j.subject, options); err != nil {
		return nil, records, err
	}
	if s.flags.twice {
		options := options
		options.Records = dropRecord
		again, err := s.runner.Run(ctx, j.scenario, j.subject, options)
		if err != nil {
			return nil, records, err
		}
		if run.Digest == "" || again.Digest != run.Digest {
			return nil, records, fmt.Errorf("%w: digests %q and %q\n%s", errDigest, run.Digest, again.Digest,
				s.divergence(ctx, j, options))
		}
	}
	if s.many && outcome(run) != linearizability.Valid && !options.KeepLogs && run.Digest != "" {
		// The same run again, now with what processes log and all records.
		if records, err = reports.NewRecorder(s.flags.runs); err != nil {
			return nil, nil, err
		}
		options.KeepLogs, options.Records = true, records.Take
		if run, err = s.runner.Run(ctx, j.scenario, j.subject, options); err != nil {
			return nil, records, err
		}
	}
	run.Reproduce = s.reproduce(j, seed)
	return run, records, nil
}

// dropRecord is for runs whose records nobody will read.
func dropRecord(scenarios.Stamped) {}

// diverger is a runner that can say where two runs of one seed part.
type diverger interface {
	Diverge(ctx context.Context, s *scenarios.Scenario, subject scenarios.Subject, o scenarios.RunOptions) (string, error)
}

func (s *session) divergence(ctx context.Context, j *job, o scenarios.RunOptions) string {
	d, ok := s.runner.(diverger)
	if !ok {
		return ""
	}
	where, err := d.Diverge(ctx, j.scenario, j.subject, o)
	if err != nil {
		return err.Error()
	}
	return where
}

// outcome is valid when a run came out as its scenario expects. What is unknown stays so, even
// when that was expected: nothing was shown.
func outcome(run *scenarios.Run) linearizability.Validity {
	v := run.Verdict()
	switch {
	case v == linearizability.Unknown:
		return v
	case v.String() == run.Scenario.Expect.Verdict:
		return linearizability.Valid
	}
	return linearizability.Invalid
}

// line prints a run as one line of JSON.
func (a *app) line(run *scenarios.Run, paths reports.Paths) error {
	line := struct {
		reports.Summary
		Outcome linearizability.Validity `json:"outcome"`
		Dir     string                   `json:"dir,omitempty"`
		Page    string                   `json:"page,omitempty"`
	}{reports.Summarize(run), outcome(run), paths.Dir, paths.Page}
	return json.NewEncoder(a.Stdout).Encode(line)
}
