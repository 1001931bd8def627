package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/smaller"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/tryworkers"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

const shrinkHelp = `Makes a failing run small: fewer faults, machines, clients and operations, shorter
times. The same check must find a violation in what is left. The result is a scenario file with a seed.

FAILURE is the folder of a failing run, or a scenario with --seed. Each smaller scenario is tried with the
seed that failed last and a few others. The file is written whenever something was left out, so an
interrupted search goes on from it: NAME shrink FILE --seed N.`

// shrinkWorker is the hidden argument of worker processes.
const shrinkWorker = "shrink-worker"

type shrinkFlags struct {
	seed     uint64
	property string
	out      string
	limit    time.Duration

	workers, seeds int
	json, quiet    bool
}

// shrinkCommand is the command "shrink".
type shrinkCommand struct{ *app }

func (a shrinkCommand) tree() *cobra.Command {
	var f shrinkFlags
	cmd := &cobra.Command{
		Use:   "shrink FAILURE",
		Short: "Make a failing run small",
		Long:  a.examples(shrinkHelp),
		Example: a.examples(`  NAME shrink runs/my-scenario/42
  NAME shrink my-scenario.yaml --seed 42 --for 5m`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.shrink(cmd.Context(), args[0], &f) },
	}
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", defaultSeed, "`seed` with which the scenario fails")
	flags.StringVar(&f.property, "property", "",
		"the `check` that must find a violation (default: the first that does)")
	flags.StringVar(&f.out, "out", "",
		"`file` to write (default: NAME-small.yaml beside the scenario, or here for one of the library)")
	flags.DurationVar(&f.limit, "for", time.Minute, "search at most this `long`")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "worker `processes`")
	flags.IntVar(&f.seeds, "other-seeds", shrink.DefaultSeeds,
		"try each smaller scenario with this `many` other seeds")
	flags.BoolVar(&f.json, "json", false, "print one line of JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "print no progress")
	return cmd
}

// worker is the command of worker processes.
func (a shrinkCommand) worker() *cobra.Command {
	return &cobra.Command{Use: shrinkWorker, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			here := shrink.InProcess{Runner: a.Backends[0].Runner, Subject: a.decoders().Subject}
			return tryworkers.Serve(cmd.Context(), os.Stdin, a.Stdout, here)
		}}
}

// readFailure reads the run's folder, or the scenario.
func (a shrinkCommand) readFailure(word string, seed uint64) (*smaller.Search, error) {
	var from sources.Source
	info, err := os.Stat(word)
	if err == nil && info.IsDir() {
		var r *reports.Replay
		if from, r, err = readReplay(filepath.Join(word, reports.ReplayFile)); err != nil {
			return nil, Usage(err)
		}
		if len(r.Overrides) > 0 || r.Mode != reports.ModeDerive {
			return nil, usagef("the run in %s has draws that do not come from its seed, and a smaller "+
				"scenario would have others: shrink a run that is made with a seed alone", word)
		}
		seed = r.Seed
	} else if from, err = a.findScenario(word); err != nil {
		return nil, err
	}
	loaded, err := a.loadScenario(from, origin{})
	return &smaller.Search{Scenario: loaded.scenario, Subject: loaded.subject, Word: from.Word,
		OwnFile: from.OwnFile(), Seed: seed}, err
}

func (a shrinkCommand) shrink(ctx context.Context, word string, f *shrinkFlags) error {
	c, err := a.readFailure(word, f.seed)
	if err != nil {
		return err
	}
	c.Property, c.Seeds, c.Out, c.Limit, c.JSON = f.property, f.seeds, f.out, f.limit, f.json
	c.Stdout = a.Stdout
	p := a.progress(f.quiet)
	p.Run(fmt.Sprintf("%s, seed %d", c.Scenario.Name, c.Seed))
	defer a.serve(c, max(f.workers, 1), p)()
	if err = c.Run(ctx); errors.Is(err, smaller.ErrNothingFails) {
		return Usage(err)
	} else if err != nil {
		return internalError(fmt.Errorf("shrinking %s: %w", word, err))
	}
	return nil
}

// serve gives a search its workers and its terminal. The caller must call close at the end.
func (a shrinkCommand) serve(c *smaller.Search, workers int, p *progress.Line) (close func()) {
	pool := tryworkers.New(workers, shrinkWorker)
	c.Parallel, c.Runner, c.Trier = workers, a.Backends[0].Runner, pool
	c.Progress, c.Clear, c.Command = p.Show, p.Clear, a.command
	return pool.Close
}
