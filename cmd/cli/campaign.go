package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/campaignflags"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/merge"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/seeds"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/shard"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

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

Unexpected runs leave a folder in RUNS. The page of the campaign, RUNS/campaign.html, links to them and sums
up everything; it is written again from time to time while the campaign runs. A campaign with such runs ends
with the command that reproduces the first of them. On GitHub Actions they become annotations and a summary of
the step.

Several machines can share a campaign: each makes one --shard, and NAME campaign merge adds up the journals.`

func (a *app) newCampaignCommand() *cobra.Command {
	var f campaignflags.Flags
	cmd := &cobra.Command{
		Use:   "campaign [SCENARIO[:A-B]...]",
		Short: "Search for seeds that fail, resumably",
		Long:  a.examples(campaignHelp),
		Args:  cobra.ArbitraryArgs,
		Example: a.examples(`  NAME campaign --for 10m
  NAME campaign my-scenario.yaml --for 5m
  NAME campaign --all --seeds 200
  NAME campaign ha-storm:1-8000 ha-storm-without-quorum:1-2000
  NAME campaign my-scenario.yaml --seeds 1000000 --for 20m --junit report.xml`),
		RunE: func(cmd *cobra.Command, args []string) error { return a.campaign(cmd.Context(), args, &f) },
	}
	f.AddTo(cmd, a.hasTopologies())
	merges := &merge.Command{Program: a.Name, Stdout: a.Stdout, Stderr: a.Stderr, Env: a.Env,
		Broken: internalError, End: endOf}
	cmd.AddCommand(merges.Cobra())
	return cmd
}

func (a *app) campaign(ctx context.Context, words []string, f *campaignflags.Flags) error {
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
func (a *app) planCampaign(words []string, f *campaignflags.Flags) (*plan, error) {
	if f.Workers < 1 {
		return nil, usagef("--workers %d: at least one process must run the seeds", f.Workers)
	}
	for _, strategy := range f.Strategies {
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
	wholeLibrary := len(words) == 0 && !f.All && len(library) > 0
	f.OpenEnded = wholeLibrary || len(words) > 0 && f.Seeds == "" && !haveOwn
	usualSeeds := cmp.Or(f.Seeds, campaignflags.DefaultSeeds)
	if f.OpenEnded {
		usualSeeds = cmp.Or(f.Seeds, fmt.Sprint(seeds.Max))
	}
	f.All = f.All || wholeLibrary
	if len(f.Strategies) == 0 {
		f.Strategies = []string{explore.Plain}
		if f.OpenEnded {
			f.Strategies = explore.Names()
		}
	}
	if f.ShardParts, err = shard.Parse(f.Shard); err != nil {
		return nil, Usage(err)
	}
	if f.Budget < 0 {
		return nil, usagef("--for %v: write a time such as 20m", f.Budget)
	}
	p := &plan{app: a, backend: &a.Backends[0], runs: f.Runs, workers: f.Workers, topology: f.Topology}
	if p.jobs, err = a.readJobs(names, f.All, origin{topology: f.Topology}); err != nil {
		return nil, err
	}
	if f.Strict {
		if err := rejectPartial(p.jobs); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for i := range p.jobs {
		j, seeds := &p.jobs[i], usualSeeds
		if !f.All {
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
