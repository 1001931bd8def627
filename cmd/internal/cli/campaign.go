package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/reports/github"
	"github.com/holdfast-sim/holdfast/reports/junit"
)

// campaignFlags are the flags of campaign.
type campaignFlags struct {
	seeds    string
	budget   time.Duration
	journal  string
	anew     bool
	junit    string
	runs     string
	topology string
	all      bool
	json     bool
	quiet    bool
	workers  int
}

const campaignHelp = `Runs many seeds of many scenarios in the simulator and sums up what came out. SCENARIO is a file or the
name of a story of the library; it may have a range of seeds of its own, as in ha-storm:1-8000.

Each run is noted in the journal as soon as it is made. A campaign that was interrupted goes on when
the same command is given again, and one that is given a wider range makes only what is missing.
Runs of another program, or of a scenario that was changed meanwhile, do not count: the journal is
refused then.

Runs that do not come out as expected leave a folder in RUNS. The last line of a campaign with such
runs is the command that shows the first of them again. On GitHub Actions they become annotations and a
summary of the step.`

func (a *app) campaignCommand() *cobra.Command {
	var f campaignFlags
	cmd := &cobra.Command{
		Use:   "campaign SCENARIO[:A-B]...",
		Short: "Run many seeds of many scenarios, and go on where it was interrupted",
		Long:  campaignHelp,
		Example: `  holdfast campaign --all --seeds 1-200
  holdfast campaign ha-storm:1-8000 ha-storm-without-quorum:1-2000
  holdfast campaign my-story.yaml --seeds 1-1000000 --for 20m --junit report.xml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.campaign(cmd.Context(), args, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.seeds, "seeds", "1-1000", "the seeds of scenarios that name none, from A to B, as in `A-B`")
	flags.DurationVar(&f.budget, "for", 0, "begin nothing new after this `time`, such as 20m (unless given, run all seeds)")
	flags.StringVar(&f.journal, "journal", "", "note the runs in this `file` (default RUNS/campaign.jsonl)")
	flags.BoolVar(&f.anew, "anew", false, "forget what the journal holds")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report into this `file`")
	flags.StringVar(&f.runs, "runs", defaultRuns, "write the folders of what was not expected into this `folder`")
	flags.BoolVar(&f.all, "all", false, "run every story of the library whose subject this program has")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "show no progress")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "how many `processes` share the seeds")
	if len(a.Topologies) > 0 {
		flags.StringVar(&f.topology, "topology", "", "take machines and votes from this `corosync.conf`")
	}
	return cmd
}

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

func (a *app) campaign(ctx context.Context, words []string, f *campaignFlags) error {
	e := &expedition{app: a, flags: f, words: words, summary: campaign.New(), progress: a.progress(f.quiet), begun: time.Now()}
	if err := e.plan(); err != nil {
		return err
	}
	err := e.run(ctx)
	err = errors.Join(err, e.journal.close())
	e.progress.clear()
	if err != nil {
		return internal(err)
	}
	return e.finish(ctx)
}

// ownSeeds is a range of seeds behind a scenario.
var ownSeeds = regexp.MustCompile(`^(.+):([0-9]+-[0-9]+)$`)

// plan reads scenarios and journal.
func (e *expedition) plan() error {
	f := e.flags
	if f.workers < 1 {
		return usagef("--workers %d: at least one process has to run the seeds", f.workers)
	}
	if f.budget < 0 {
		return usagef("--for %v: write a time such as 20m", f.budget)
	}
	names, ranges := make([]string, len(e.words)), make([]string, len(e.words))
	for i, word := range e.words {
		names[i], ranges[i] = word, f.seeds
		if found := ownSeeds.FindStringSubmatch(word); found != nil {
			names[i], ranges[i] = found[1], found[2]
		}
	}
	var err error
	if e.jobs, err = e.app.jobs(names, &runFlags{all: f.all, topology: f.topology}); err != nil {
		return err
	}
	texts := map[string]string{}
	for i := range e.jobs {
		j, seeds := &e.jobs[i], f.seeds
		if !f.all {
			seeds = ranges[i]
		}
		if j.first, j.last, err = parseSeeds(seeds); err != nil {
			return err
		}
		if j.last == math.MaxUint64 {
			return usagef("--seeds %s: the last seed of a campaign is %d at most", seeds, uint64(math.MaxUint64-1))
		}
		if _, twice := texts[j.scenario.Name]; twice {
			return usagef("scenario %s is named twice: one range of seeds each", j.scenario.Name)
		}
		digest := sha256.Sum256(append([]byte(f.topology+"\n"), j.source.data...))
		texts[j.scenario.Name] = hex.EncodeToString(digest[:8])
		e.summary.Expect(j.scenario.Name, j.scenario.Expect.Probes)
		e.seeds += int(j.last-j.first) + 1
	}
	path := f.journal
	if path == "" {
		path = filepath.Join(f.runs, "campaign.jsonl")
	}
	var made []campaign.Outcome
	if e.journal, made, err = openJournal(path, f.anew, texts); err != nil {
		return err
	}
	e.take(made)
	return nil
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
		kept.Checks, kept.Probes = nil, nil // of a million runs only the failed ones are told in full
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
	s := &session{app: e.app, flags: &runFlags{on: e.app.defaultWorld(), runs: f.runs, topology: f.topology}, many: true}
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

// show tells of a run that was not expected, and how far the campaign is.
func (e *expedition) show(o *campaign.Outcome) {
	if o.Failed() {
		e.progress.clear()
		fmt.Fprintf(e.app.Stderr, "%s, seed %d: %s\n  %s\n", o.Scenario, o.Seed, firstLine(o.Why()), o.Reproduce)
	}
	made := e.summary.Runs - e.before
	left := ""
	if made > 0 {
		each := time.Since(e.begun) / time.Duration(made)
		rest := each * time.Duration(e.seeds-e.summary.Runs)
		if e.flags.budget > 0 {
			rest = min(rest, e.flags.budget-time.Since(e.begun))
		}
		left = fmt.Sprintf(", about %s left", max(rest, 0).Round(time.Second))
	}
	e.progress.line(fmt.Sprintf("%d of %d runs, %d failed%s", e.summary.Runs, e.seeds, e.summary.Failed, left))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// finish writes what came out.
func (e *expedition) finish(ctx context.Context) error {
	f := e.flags
	if e.before == 0 {
		e.summary.Finish(time.Since(e.begun))
	}
	if f.junit != "" {
		if err := writeFile(f.junit, func(out *os.File) error { return junit.Write(out, e.outcomes) }); err != nil {
			return internal(err)
		}
	}
	if err := e.tellGitHub(); err != nil {
		return internal(err)
	}
	write := e.summary.Text
	if f.json {
		write = e.summary.JSON
	}
	if err := write(e.app.Stdout); err != nil {
		return internal(err)
	}
	missing := e.seeds - e.summary.Runs
	if missing > 0 {
		why := "the time is over"
		if ctx.Err() != nil {
			why = "interrupted"
		}
		fmt.Fprintf(e.app.Stderr, "%s: %d of %d runs are missing; to go on:\n  %s\n", why, missing, e.seeds, e.again())
	}
	switch {
	case e.summary.Failed > 0 && e.anyInvalid():
		return verdict(linearizability.Invalid)
	case !e.summary.OK(), missing > 0 && f.budget == 0:
		return verdict(linearizability.Unknown)
	}
	return nil
}

// anyInvalid says whether a run came out otherwise than expected, and not just without a verdict.
func (e *expedition) anyInvalid() bool {
	for i := range e.outcomes {
		if o := &e.outcomes[i]; o.Failed() && o.Problem == "" && o.Verdict != linearizability.Unknown {
			return true
		}
	}
	return false
}

// again is the command that goes on with the campaign.
func (e *expedition) again() string {
	f := e.flags
	args := append([]string{"campaign"}, e.words...)
	add := func(flag, value, otherwise string) {
		if value != otherwise {
			args = append(args, flag, value)
		}
	}
	if f.all {
		args = append(args, "--all")
	}
	add("--seeds", f.seeds, "1-1000")
	add("--runs", f.runs, defaultRuns)
	add("--journal", f.journal, "")
	add("--topology", f.topology, "")
	add("--junit", f.junit, "")
	if f.budget > 0 {
		args = append(args, "--for", f.budget.String())
	}
	return e.app.command(args...)
}

// tellGitHub writes annotations and the summary of the step when GitHub Actions runs this.
func (e *expedition) tellGitHub() error {
	if e.app.Env("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if err := github.Annotations(e.app.Stderr, e.outcomes); err != nil {
		return err
	}
	path := e.app.Env("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the step's summary: %w", err)
	}
	return errors.Join(github.Summary(out, e.summary), out.Close())
}

func writeFile(path string, write func(*os.File) error) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}
