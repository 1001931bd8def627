package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/replayfile"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/smaller"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/sources"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/tryworkers"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

const shrinkHelp = `Makes a failing run small: fewer faults, machines, clients and operations, shorter
times. The same check must find a violation in what is left. The result is a scenario file with a seed.

FAILURE is the folder of a failing run, its replay file, or a scenario with --seed. Each smaller scenario is
tried with the seed that failed last and a few others. The file is written whenever something was left out,
so an interrupted search goes on from it: NAME shrink FILE --seed N. If the run needs draws that its seed
does not give, such as those of a fuzzer, they are in a replay file beside it: NAME shrink FILE.replay.json.`

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

func (a shrinkCommand) cobraCommand() *cobra.Command {
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

// newWorkerCommand is the command of worker processes.
func (a shrinkCommand) newWorkerCommand() *cobra.Command {
	return &cobra.Command{Use: shrinkWorker, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			here := shrink.InProcess{Runner: a.Backends[0].Runner, Subject: a.decoders().Subject}
			return tryworkers.Serve(cmd.Context(), os.Stdin, a.Stdout, here)
		}}
}

// readFailure reads the run's folder, its replay file, or the scenario.
func (a shrinkCommand) readFailure(word string, seed uint64) (*smaller.Search, error) {
	file := word
	if info, err := os.Stat(word); err == nil && info.IsDir() {
		file = filepath.Join(word, reports.ReplayFile)
	}
	search := &smaller.Search{Seed: seed, Backend: a.Backends[0].Name}
	from, err := a.readReplayFile(file, search)
	if err != nil {
		return nil, err
	}
	if from == nil {
		source, err := a.findScenario(word)
		if err != nil {
			return nil, err
		}
		from = &source
	}
	loaded, err := a.loadScenario(*from, origin{})
	search.Scenario, search.Subject = loaded.scenario, loaded.subject
	search.Word, search.OwnFile = from.Word, from.OwnFile()
	return search, err
}

// readReplayFile reads the scenario, the seed and the replaced draws from a replay file. It returns nil
// for any other file.
func (a shrinkCommand) readReplayFile(file string, search *smaller.Search) (*sources.Source, error) {
	if !strings.HasSuffix(file, reports.ReplayFile) {
		return nil, nil
	}
	from, r, err := replayfile.Read(file)
	if err != nil {
		return nil, Usage(err)
	}
	options, err := replayfile.Options(r)
	if err != nil {
		return nil, Usage(fmt.Errorf("replay file %s: %w", file, err))
	}
	if r.Backend != search.Backend || options.ZeroDraws {
		return nil, usagef("%s is of a run on %s with mode %q: only runs in the simulator with draws from "+
			"their seed can be made small", file, r.Backend, r.Mode)
	}
	search.Seed, search.Overrides = options.Seed, options.Overrides
	return &from, nil
}

func (a shrinkCommand) shrink(ctx context.Context, word string, f *shrinkFlags) error {
	c, err := a.readFailure(word, f.seed)
	if err != nil {
		return err
	}
	c.Property, c.Seeds, c.Out, c.Limit, c.JSON = f.property, f.seeds, f.out, f.limit, f.json
	c.Stdout = a.Stdout
	p := a.progress(f.quiet)
	p.StartRun(fmt.Sprintf("%s, seed %d", c.Scenario.Name, c.Seed))
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
