package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/replaydiff"
	"github.com/holdfast-sim/holdfast/cmd/cli/internal/replayfile"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

const replayHelp = `Repeats a run from its folder, or from a replay file and the scenario that it names,
with the same seed and the same choices. In the simulator the digest must be the recorded one. A run that
comes out otherwise is unknown, whatever its verdict, and the first difference is printed: the program or the
scenario has changed since, or one seed gives different runs (NAME run --twice).

Nothing is written without --runs.`

type replayFlags struct {
	runs      string
	timescale string
	json      bool
	quiet     bool
}

// replayCommand is the command "replay".
type replayCommand struct{ *app }

func (a replayCommand) cobraCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay RUNFOLDER|REPLAYFILE",
		Short: "Repeat a run from its folder",
		Long:  a.examples(replayHelp),
		Example: a.examples(`  NAME replay runs/my-scenario/latest
  NAME replay failing.replay.json --runs runs`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.replay(cmd.Context(), args[0], &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.runs, "runs", "", "`folder` to write the run's folder into")
	flags.StringVar(&f.timescale, "timescale", "",
		"on real nodes, multiply all times by this `ratio`, as in the first run")
	flags.BoolVar(&f.json, "json", false, "print one line of JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "print nothing when the run ends as expected, and no progress")
	return cmd
}

func (a replayCommand) replay(ctx context.Context, path string, f *replayFlags) error {
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, reports.ReplayFile)
	}
	from, r, err := replayfile.Read(file)
	if err != nil {
		return Usage(err)
	}
	loaded, err := a.loadScenario(from, origin{})
	if err != nil {
		return err
	}
	scenario, subject := loaded.scenario, loaded.subject
	options, err := replayfile.Options(r)
	if err == nil && f.timescale != "" {
		options.Timescale, err = timescale.Parse(f.timescale)
	}
	if err != nil {
		return Usage(fmt.Errorf("replay file %s: %w", file, err))
	}
	backend, err := a.findBackend(r.Backend, options.Timescale)
	if err != nil {
		return err
	}
	saved, err := replaydiff.Open(filepath.Dir(file))
	if err != nil {
		return Usage(fmt.Errorf("replaying %s: %w", path, err))
	}
	defer saved.Close()
	p := a.progress(f.quiet)
	p.StartRun(fmt.Sprintf("%s, seed %d", scenario.Name, r.Seed))
	options.Progress, options.Records, options.Alone = p.Report, saved.Record, saved.Alone()
	var records *reports.Recorder
	if f.runs != "" {
		if records, err = reports.NewRecorder(f.runs); err != nil {
			return internalError(err)
		}
		defer records.Close()
		options.Records = func(r scenarios.Stamped) {
			saved.Record(r)
			records.Take(r)
		}
	}
	run, err := backend.Runner.Run(ctx, scenario, subject, options)
	p.Clear()
	if err != nil {
		return internalError(fmt.Errorf("replaying %s: %w", path, err))
	}
	run.Reproduce = a.command("replay", path)
	same := r.Digest == "" || run.Digest == r.Digest
	v, err := a.showReplay(run, r, records, f, same)
	if err != nil {
		return internalError(err)
	}
	if same {
		return exitFor(v)
	}
	return &exit{ExitUnknown, fmt.Errorf("the run comes out otherwise: "+
		"the digest is %q, recorded was %q\n%s\n"+
		"The program or the scenario has changed since, or one seed gives different runs",
		run.Digest, r.Digest, saved.FirstDifference(run))}
}

// showReplay writes and prints a repeated run. same reports whether it is the recorded one; otherwise the
// result is unknown.
func (a replayCommand) showReplay(run *scenarios.Run, r *reports.Replay, records *reports.Recorder,
	f *replayFlags, same bool) (linearizability.Validity, error) {
	var paths reports.Paths
	if f.runs != "" {
		var err error
		dir := filepath.Join(f.runs, run.Scenario.Name, fmt.Sprint(run.Seed))
		if paths, err = (reports.Options{Scenario: scenarios.Marshal, Replay: *r,
			Records: records}).WriteRun(dir, run); err != nil {
			return linearizability.Unknown, err
		}
	}
	v := expectationMet(run)
	if !same {
		v = linearizability.Unknown
	}
	var err error
	switch {
	case f.json:
		err = json.NewEncoder(a.Stdout).Encode(&runLine{reports.Summarize(run), v, paths.Dir, paths.Page})
	case !f.quiet || v != linearizability.Valid:
		err = reports.TextOptions{Color: a.usesColor(), Page: paths.Page}.Text(a.Stdout, run)
	}
	return v, err
}
