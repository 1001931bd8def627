package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/seeds"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// campaignFlags are the flags of campaign.
type campaignFlags struct {
	seeds       string
	budget      time.Duration
	journal     string
	restart     bool
	junit       string
	runs        string
	topology    string
	strict      bool
	all         bool
	json, quiet bool
	workers     int
	// strategies are how scenarios are changed.
	strategies  []string
	shrink      time.Duration
	stopAtFirst bool
	// against is the journal of an earlier campaign.
	against string
	// openEnded means that the campaign has no end of its own.
	openEnded bool
}

const campaignHelp = `Searches for seeds that fail: runs many seeds of many scenarios in the simulator and
summarizes the outcomes. SCENARIO is a file or the name of a library scenario; it may have its own range of
seeds, as in ha-storm:1-8000.

Without seeds it searches until it is stopped, or for the time of --for: every scenario as it is written, and
changed by every strategy. All of them get the same processor time, and those that still show new behaviour
get more. Without a scenario it searches the whole library.

Failures of one kind are one group. The first of each group is made small, as by NAME shrink.

Each run is recorded in the journal as soon as it has ended. After an interruption the same command
resumes the campaign; a wider range of seeds runs only the missing ones. A journal written by another
build, or for an edited scenario, is rejected.

Unexpected runs leave a folder in RUNS. A campaign with such runs ends with the command that reproduces
the first of them. On GitHub Actions they become annotations and a summary of the step.`

func (a *app) newCampaignCommand() *cobra.Command {
	var f campaignFlags
	cmd := &cobra.Command{
		Use:   "campaign [SCENARIO[:A-B]...]",
		Short: "Search for seeds that fail, resumably",
		Long:  a.examples(campaignHelp),
		Example: a.examples(`  NAME campaign --for 10m
  NAME campaign my-scenario.yaml --for 5m
  NAME campaign --all --seeds 200
  NAME campaign ha-storm:1-8000 ha-storm-without-quorum:1-2000
  NAME campaign my-scenario.yaml --seeds 1000000 --for 20m --junit report.xml`),
		RunE: func(cmd *cobra.Command, args []string) error { return a.campaign(cmd.Context(), args, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.seeds, "seeds", "",
		"seeds `A-B` of scenarios without their own range; N means 1-N (default "+defaultCampaignSeeds+
			",\nif another scenario has seeds, or with --all; else all there are)")
	flags.DurationVar(&f.budget, "for", 0,
		"start nothing new after this `time`, such as 20m (default: run all seeds)")
	flags.StringVar(&f.journal, "journal", "", "record the runs in this `file` (default RUNS/campaign.jsonl)")
	flags.BoolVar(&f.restart, "restart", false, "discard the runs in the journal")
	flags.BoolVar(&f.restart, "anew", false, "discard the runs in the journal")
	_ = flags.MarkHidden("anew") // it is defined above
	flags.StringSliceVar(&f.strategies, "strategy", nil, strategyHelp()+
		"\n(default: "+explore.Plain+"; without seeds: all of them)")
	flags.DurationVar(&f.shrink, "shrink", time.Minute,
		"make the first run of each group of failures small, for this `time` each; 0 for not at all")
	flags.BoolVar(&f.stopAtFirst, "stop-at-first", false, "stop at the first failure")
	flags.StringVar(&f.against, "against", "",
		"compare the failures with those in this `journal` of an earlier campaign, of any build")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to this `file`")
	flags.StringVar(&f.runs, "runs", defaultRuns, "`folder` for the run folders of unexpected runs")
	flags.BoolVar(&f.all, "all", false, "run every scenario of the library")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "show no progress")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "worker `processes`")
	if a.hasTopologies() {
		flags.StringVar(&f.topology, "topology", "", "take machines and votes from this `corosync.conf`")
		flags.BoolVar(&f.strict, "strict-topology", false, strictHelp)
	}
	return cmd
}

// defaultCampaignSeeds are the seeds of scenarios for which none are given, in a campaign that has an end.
const defaultCampaignSeeds = "1-1000"

func (a *app) campaign(ctx context.Context, words []string, f *campaignFlags) error {
	p, err := a.planCampaign(words, f)
	if err != nil {
		return err
	}
	c := &campaignRun{plan: p, flags: f, words: words}
	if err := c.prepare(); err != nil {
		return err
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	return c.report(ctx)
}

// planCampaign checks the flags and reads the scenarios.
func (a *app) planCampaign(words []string, f *campaignFlags) (*plan, error) {
	if f.workers < 1 {
		return nil, usagef("--workers %d: at least one process must run the seeds", f.workers)
	}
	for _, strategy := range f.strategies {
		if !slices.Contains(explore.Names(), strategy) {
			return nil, usagef("--strategy %q: write some of %s", strategy,
				strings.Join(explore.Names(), ","))
		}
	}
	library, err := a.libraryNames()
	if err != nil {
		return nil, err
	}
	names, ranges, haveOwn := seeds.Split(words)
	wholeLibrary := len(words) == 0 && !f.all && len(library) > 0
	f.openEnded = wholeLibrary || len(words) > 0 && f.seeds == "" && !haveOwn
	usualSeeds := cmp.Or(f.seeds, defaultCampaignSeeds)
	if f.openEnded {
		usualSeeds = cmp.Or(f.seeds, fmt.Sprint(seeds.Max))
	}
	f.all = f.all || wholeLibrary
	if len(f.strategies) == 0 {
		f.strategies = []string{explore.Plain}
		if f.openEnded {
			f.strategies = explore.Names()
		}
	}
	if f.budget < 0 {
		return nil, usagef("--for %v: write a time such as 20m", f.budget)
	}
	p := &plan{app: a, backend: &a.Backends[0], runs: f.runs, workers: f.workers, topology: f.topology}
	if p.jobs, err = a.readJobs(names, f.all, origin{topology: f.topology}); err != nil {
		return nil, err
	}
	if f.strict {
		if err := refusePartial(p.jobs); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for i := range p.jobs {
		j, seeds := &p.jobs[i], usualSeeds
		if !f.all {
			seeds = cmp.Or(ranges[i], usualSeeds)
		}
		if j.first, j.last, err = parseSeeds(seeds); err != nil {
			return nil, err
		}
		if seen[j.scenario.Name] {
			return nil, usagef("scenario %s is named twice: one range of seeds each", j.scenario.Name)
		}
		seen[j.scenario.Name] = true
	}
	return p, nil
}

// scenarioDigests are digests of the text of each scenario, with that of the topology file.
func (p *plan) scenarioDigests() (map[string]string, error) {
	var machines []byte
	if p.topology != "" {
		var err error
		if machines, err = os.ReadFile(p.topology); err != nil {
			return nil, usagef("reading topology: %w", err)
		}
	}
	digests := map[string]string{}
	for i := range p.jobs {
		sum := sha256.Sum256(slices.Concat(p.jobs[i].source.Data, []byte{0}, machines))
		digests[p.jobs[i].scenario.Name] = hex.EncodeToString(sum[:8])
	}
	return digests, nil
}
