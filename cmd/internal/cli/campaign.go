package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/reports/campaign"
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
	var machines []byte
	if f.topology != "" {
		if machines, err = os.ReadFile(f.topology); err != nil {
			return usagef("reading topology: %w", err)
		}
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
		digest := sha256.Sum256(slices.Concat(j.source.data, []byte{0}, machines))
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
