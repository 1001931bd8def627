package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/replayfile"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/workers"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

const likelihoodHelp = `Finds out when a failure became inevitable. The future of a failing run is drawn
anew from several times on: packet delays and losses, what clients request, the order of simultaneous
events, and the faults of a nemesis that begin later. The reason is where the share of futures that fail
rises most.

RUNFOLDER is the folder of a failing run. The result is also written into it: likelihood.json, report.html.`

type likelihoodFlags struct {
	property         string
	limit            time.Duration
	futures, workers int
	json, quiet      bool
}

// likelihoodCommand is the command "likelihood".
type likelihoodCommand struct{ *app }

func (a likelihoodCommand) cobraCommand() *cobra.Command {
	var f likelihoodFlags
	cmd := &cobra.Command{
		Use:     "likelihood RUNFOLDER",
		Short:   "Find out when a failure became inevitable",
		Long:    likelihoodHelp,
		Example: a.examples("  NAME likelihood runs/my-scenario/42 --futures 20"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.measure(cmd.Context(), args[0], &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.property, "property", "",
		"the `check` that must find a violation (default: the first that does)")
	flags.DurationVar(&f.limit, "for", time.Minute, "measure at most this `long`")
	flags.IntVar(&f.futures, "futures", 8, "draw this `many` futures from each time")
	flags.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "worker `processes`")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "print no progress")
	return cmd
}

func (a likelihoodCommand) measure(ctx context.Context, folder string, f *likelihoodFlags) error {
	from, r, err := replayfile.Read(filepath.Join(folder, reports.ReplayFile))
	if err != nil {
		return Usage(err)
	}
	loaded, err := a.loadScenario(from, origin{})
	if err != nil {
		return err
	}
	if r.Backend != a.Backends[0].Name || len(r.Overrides) > 0 || r.Mode != reports.ModeDerive {
		return usagef("the run in %s was not made in the simulator with a seed alone", folder)
	}
	p := &plan{app: a.app, backend: &a.Backends[0], runs: defaultRuns, workers: max(f.workers, 1)}
	pool := p.newPool()
	defer pool.Close()
	ask := func(ctx context.Context, branches ...draw.Branch) (*runAnswer, error) {
		answer, err := pool.Ask(ctx,
			runRequest{Word: from.File, Seed: r.Seed, Bare: true, Branches: branches})
		if err == nil && answer.Error != "" {
			err = errors.New(answer.Error)
		}
		return &answer, err
	}
	failed, err := ask(ctx)
	out := futures.Result{Property: violatedCheck(failed, f.property)}
	switch {
	case err != nil:
		return internalError(err)
	case out.Property == "":
		return usagef("check %q finds no violation in the run in %s", f.property, folder)
	}
	limited, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	line := a.progress(f.quiet)
	out.Curve, err = futures.Measure(limited, loaded.scenario.Warmup+loaded.scenario.Duration,
		func(ctx context.Context, at time.Duration, seed uint64) (bool, error) {
			answer, err := ask(ctx, draw.Branch{At: at, Seed: seed + firstFuture})
			if _, died := errors.AsType[*workers.DiedError](err); died {
				return false, nil // what ends a process cannot be compared with a violation
			}
			return err == nil && violatedCheck(answer, out.Property) != "", err
		}, futures.Options{Futures: f.futures, Parallel: p.workers, Progress: func(at futures.Point) {
			line.Show(fmt.Sprintf("from %v on %d of %d futures fail", at.At, at.Failed, at.Runs))
		}})
	line.Clear()
	if err != nil {
		return internalError(err)
	}
	return a.showLikelihood(&out, folder, f)
}

// firstFuture is the first seed of futures: one that no run has, so that no future is the run itself.
const firstFuture = 1 << 62

// violatedCheck returns the check that finds a violation, the named one or the first; "" if it finds none.
func violatedCheck(answer *runAnswer, property string) string {
	for _, c := range answer.Line.Checks {
		if c.Verdict == linearizability.Invalid && (property == "" || c.Checker == property) {
			return c.Checker
		}
	}
	return ""
}

// showLikelihood prints the result and writes it into the run's folder.
func (a likelihoodCommand) showLikelihood(out *futures.Result, folder string, f *likelihoodFlags) error {
	err := reports.WriteLikelihood(folder, out)
	switch {
	case err == nil && f.json:
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(out)
	case err == nil:
		err = out.Text(a.Stdout)
	}
	if err != nil {
		return internalError(fmt.Errorf("writing the result: %w", err))
	}
	return nil
}
