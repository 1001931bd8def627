// Command mutants measures whether the harness finds bugs: it plants each bug of the catalogue
// into the engine, one at a time, and searches for a seed that shows it. The sources stay as they
// are: a planted bug is a search and replace that go build applies through an overlay.
//
// It never judges a run itself and does not know what a bug does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/internal/oldflags"
	"github.com/holdfast-sim/holdfast/cmd/mutants/internal/measure"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

// Exit codes, as everywhere in Holdfast.
const (
	exitFound    = 0
	exitMissed   = 1
	exitUsage    = 254
	exitInternal = 255
)

const help = `Plants every bug of the catalogue into the engine, one at a time, and searches for a seed
that shows it. Each bug is a file in scenarios/pve/mutants; its search text must match exactly once. The
same seeds are then run with the unchanged engine, which must find nothing. Bugs that are held out have no
hunt: mutants campaign measures what a campaign finds of them.

Run it in the module's top folder: go run ./cmd/mutants

Exit codes: 0 all found and nothing found in the unchanged engine, 1 otherwise, 254 wrong usage,
255 internal error.`

func main() {
	if len(os.Args) > 1 && os.Args[1] == huntCommand {
		os.Exit(huntMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == strategyCommand {
		os.Exit(strategyMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	find := func(ctx context.Context, o *options) error {
		switch {
		case o.huntsNetns:
			return runNetns(ctx, o)
		case len(o.compared) > 0:
			return compare(ctx, o)
		}
		return run(ctx, o)
	}
	code := execute(ctx, os.Args[1:], os.Stderr, actions{find, measureCampaign})
	stop()
	os.Exit(code)
}

// actions are what the commands do with their flags.
type actions struct {
	find    func(context.Context, *options) error
	measure func(context.Context, *campaignFlags) error
}

// codeOf returns the exit code of an action's error.
func codeOf(err error) int {
	switch {
	case err == nil:
		return exitFound
	case errors.Is(err, errMissed), errors.Is(err, measure.ErrUnclean):
		return exitMissed
	case errors.Is(err, measure.ErrOtherBuild):
		return exitUsage
	}
	return exitInternal
}

// execute reads the flags, does what they ask for and returns the exit code.
func execute(ctx context.Context, args []string, stderr io.Writer, do actions) int {
	var o options
	code := exitUsage // of cobra's own errors
	cmd := &cobra.Command{Use: "mutants", Long: help, Args: cobra.NoArgs, SilenceUsage: true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.workers < 1 {
				return fmt.Errorf("--workers %d: at least one bug at a time", o.workers)
			}
			err := do.find(cmd.Context(), &o)
			code = codeOf(err)
			return err
		}}
	cmd.AddCommand(newCampaignCommand(func(ctx context.Context, f *campaignFlags) error {
		err := do.measure(ctx, f)
		code = codeOf(err)
		return err
	}))
	o.addTo(cmd)
	cmd.SetOut(stderr)
	cmd.SetErr(stderr)
	cmd.SetArgs(oldflags.Args(cmd, args))
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "mutants:", err)
		if code == exitUsage {
			fmt.Fprintln(stderr, "see: go run ./cmd/mutants --help")
		}
		return code
	}
	return exitFound
}

// defaultCatalogue is the folder of the planted bugs.
const defaultCatalogue = "scenarios/pve/mutants"

// addTo adds the flags to the command.
func (o *options) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.catalogue, "catalogue", defaultCatalogue, "`folder` of planted bugs")
	f.StringVar(&o.namePattern, "only", "", "only bugs whose names match this `pattern`")
	f.DurationVar(&o.huntLimit, "limit", 2*time.Minute,
		"search for each bug at most this `duration`, such as 5m")
	f.BoolVar(&o.includesSlow, "slow", false,
		"also search for the bugs listed as slow, for as long as the list demands")
	f.BoolVar(&o.checksOnly, "check", false,
		"only check that every search text matches exactly once and the result compiles")
	f.IntVar(&o.workers, "workers", 2, "`number` of bugs to search for at the same time")
	f.StringVar(&o.keepDir, "keep", "",
		"keep the harness with each bug in this `folder`, and print the command that shows the bug")
	f.StringSliceVar(&o.compared, "compare", nil,
		"do not hunt: print how often each strategy finds a violation in these scenario `files`, with the "+
			"bugs of --only planted, or with none")
	f.StringSliceVar(&o.strategies, "strategy", explore.Names(), "with --compare, these `strategies`")
	f.Uint64Var(&o.runsEach, "runs", 100, "with --compare, `number` of runs of each strategy")
	f.Uint64Var(&o.firstSeed, "first", 1, "with --compare, first `seed`")
	f.BoolVar(&o.huntsNetns, "netns", false,
		"plant only the bugs that real nodes show (root; some minutes each)")
	f.BoolVar(&o.writesTable, "table", false, "print the rows of the table in the catalogue's README")
	f.BoolVar(&o.writesJSON, "json", false, "print one line of JSON for each bug")
}
