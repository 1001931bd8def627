// Package campaignflags holds the flags of the command campaign.
//
// It never reads a scenario and never decides what runs.
package campaignflags

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/shard"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// Flags are the flags of campaign.
type Flags struct {
	Seeds       string
	Budget      time.Duration
	Journal     string
	Restart     bool
	JUnit       string
	Page        string
	Runs        string
	Topology    string
	Strict      bool
	All         bool
	JSON, Quiet bool
	Workers     int
	// Strategies are how scenarios are changed.
	Strategies  []string
	Shrink      time.Duration
	StopAtFirst bool
	// Against is the journal of an earlier campaign.
	Against string
	// Shard is the part of the runs that this campaign makes.
	Shard      string
	ShardParts shard.Shard
	// OpenEnded means that the campaign has no end of its own.
	OpenEnded bool
}

const (
	// DefaultSeeds are the seeds of scenarios for which none are given, in a campaign that has an end.
	DefaultSeeds = "1-1000"
	// DefaultRuns is the folder for run folders.
	DefaultRuns = "runs"
)

// StrategyHelp describes the flag --strategy.
func StrategyHelp() string {
	text := "change the scenario by this `strategy` before each run:"
	for _, s := range explore.Strategies() {
		text += fmt.Sprintf("\n%s: %s", s.Name, s.About)
	}
	return text
}

// StrictHelp describes the flag --strict-topology.
const StrictHelp = "refuse a configuration that asks for what the subject does not carry out"

// AddTo adds the flags to the command; with topology also those of subjects that have topologies.
func (f *Flags) AddTo(cmd *cobra.Command, topology bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.Seeds, "seeds", "",
		"seeds `A-B` of scenarios without their own range; N means 1-N (default "+DefaultSeeds+
			",\nif another scenario has seeds, or with --all; else all there are)")
	flags.DurationVar(&f.Budget, "for", 0,
		"start nothing new after this `time`, such as 20m (default: run all seeds)")
	flags.StringVar(&f.Journal, "journal", "", "record the runs in this `file` (default RUNS/campaign.jsonl)")
	flags.BoolVar(&f.Restart, "restart", false, "discard the runs in the journal")
	flags.BoolVar(&f.Restart, "anew", false, "discard the runs in the journal")
	_ = flags.MarkHidden("anew") // it is defined above
	flags.StringSliceVar(&f.Strategies, "strategy", nil, StrategyHelp()+
		"\n(default: "+explore.Plain+"; without seeds: all of them)")
	flags.DurationVar(&f.Shrink, "shrink", time.Minute,
		"make the first run of each group of failures small, for this `time` each; 0 for not at all")
	flags.BoolVar(&f.StopAtFirst, "stop-at-first", false, "stop at the first failure")
	flags.StringVar(&f.Against, "against", "",
		"compare the failures with those in this `journal` of an earlier campaign, of any build")
	flags.StringVar(&f.Shard, "shard", "",
		"make only this `part` of the runs, such as 1/4; see campaign merge")
	flags.StringVar(&f.JUnit, "junit", "", "write a JUnit report to this `file`")
	flags.StringVar(&f.Page, "page", "",
		"write the page of the campaign to this `file` (default RUNS/campaign.html)")
	flags.StringVar(&f.Runs, "runs", DefaultRuns, "`folder` for the run folders of unexpected runs")
	flags.BoolVar(&f.All, "all", false, "run every scenario of the library")
	flags.BoolVar(&f.JSON, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.Quiet, "quiet", false, "show no progress")
	flags.IntVar(&f.Workers, "workers", runtime.GOMAXPROCS(0), "worker `processes`")
	if topology {
		flags.StringVar(&f.Topology, "topology", "", "take machines and votes from this `corosync.conf`")
		flags.BoolVar(&f.Strict, "strict-topology", false, StrictHelp)
	}
}
