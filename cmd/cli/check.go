package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/checkflags"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

const checkHelp = `Judges a recorded history again, without running anything.

For a run folder, or the history in one, the scenario's own subject repeats every check of the run on
the recorded data.
For a history file of any program one model decides; a witness file beside it is used if there is one.

The models list-append and rw-register are for histories of transactions, whose values are lists of
micro-operations such as ["append", "x", 1], ["w", "x", 1] and ["r", "x", null]. They find the anomalies that
the Elle paper names, and --consistency chooses which of them are forbidden.

`

type checkFlags struct {
	model  string
	json   bool
	file   checkflags.Flags
	ofFile bool // a history file is judged, of which the details matter
}

// checkCommand is the command "check".
type checkCommand struct{ *app }

func (a checkCommand) cobraCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check HISTORY|RUNFOLDER",
		Short: "Judge a recorded history again",
		Long:  checkHelp + checkflags.Help(),
		Example: a.examples(`  NAME check runs/my-scenario/latest
  NAME check history.jsonl --model register
  NAME check store/latest/history.edn --model cas-register --initial 0

  NAME check history.edn --model list-append --consistency snapshot-isolation`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), args[0], &f) },
	}
	cmd.Flags().StringVar(&f.model, "model", "",
		"`model` for a history file, one of those above (default: that of the file's header)")
	f.file.AddTo(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print one line of JSON for each verdict")
	return cmd
}

func (a checkCommand) check(ctx context.Context, path string, f *checkFlags) error {
	info, err := os.Stat(path)
	if err != nil {
		return usagef("reading history: %w", err)
	}
	opts, err := f.file.Options()
	if err != nil {
		return Usage(err)
	}
	if !info.IsDir() && f.model == "" && isRunHistory(path) {
		return a.check(ctx, filepath.Dir(path), f)
	}
	if !info.IsDir() {
		f.ofFile = true
		report, err := linearizability.CheckFile(ctx, path, f.model, opts...)
		if err != nil {
			return Usage(err)
		}
		return a.showVerdicts(path, []linearizability.Verdict{report.Verdict()}, f)
	}
	if given := f.file.Arguments(); len(given) > 0 {
		return usagef("%s is for history files, and %s is a run folder", given[0], path)
	}
	if f.model != "" {
		return usagef("--model is for history files; for one model only, write %s",
			a.command("check", filepath.Join(path, reports.HistoryFile), "--model", f.model))
	}
	run, err := a.readSavedRun(path)
	if err != nil {
		return Usage(err)
	}
	before := run.Verdict()
	again, err := rejudge(ctx, run)
	if err != nil {
		return internalError(err)
	}
	if now := linearizability.Worst(again); now != before {
		fmt.Fprintf(a.Stderr, "%s: the run was judged %s when it was made, and is %s now\n",
			a.Name, before, now)
	}
	return a.showVerdicts(path, again, f)
}

// isRunHistory reports whether a file is the history of a run folder: the subject of that run checks
// more than one model does.
func isRunHistory(path string) bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(path), reports.ScenarioFile))
	return err == nil && filepath.Base(path) == reports.HistoryFile
}

// readSavedRun reads a run from its folder, with its subject.
func (a checkCommand) readSavedRun(dir string) (*scenarios.Run, error) {
	saved, err := reports.ReadRun(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, reports.ScenarioFile)
	scenario, subject, err := scenarios.Parse(file, saved.ScenarioYAML, a.decoders())
	if err != nil {
		return nil, err
	}
	saved.Run.Scenario = scenario
	if err := saved.Decode(subject); err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return saved.Run, nil
}

// rejudge repeats every check of a run. Verdicts that only its runner could give are kept.
func rejudge(ctx context.Context, run *scenarios.Run) ([]linearizability.Verdict, error) {
	watch := run.Subject.Judge().Watch(run.Scenario)
	var found []linearizability.Verdict
	for _, record := range run.Records {
		if err := watch.Record(record); err != nil {
			found = append(found, linearizability.Verdict{Checker: "records",
				Validity: linearizability.Invalid,
				Summary:  err.Error()})
			break
		}
	}
	checked := watch.Check(ctx, run)
	repeated := map[string]bool{}
	for _, v := range checked {
		repeated[v.Checker] = true
	}
	for _, v := range run.Verdicts {
		if !repeated[v.Checker] && (v.Checker != "records" || len(found) == 0) {
			v.Details = append([]string{"as judged when the run was made"}, v.Details...)
			found = append(found, v)
		}
	}
	return append(found, checked...), ctx.Err()
}

func (a checkCommand) showVerdicts(path string, verdicts []linearizability.Verdict, f *checkFlags) error {
	if f.json {
		enc := json.NewEncoder(a.Stdout)
		for i := range verdicts {
			if err := enc.Encode(&verdicts[i]); err != nil {
				return internalError(err)
			}
		}
		return exitFor(linearizability.Worst(verdicts))
	}
	worst := linearizability.Worst(verdicts)
	args := []string{"check", path}
	if f.model != "" {
		args = append(args, "--model", f.model)
	}
	args = append(args, f.file.Arguments()...)
	run := &scenarios.Run{Verdicts: verdicts, Reproduce: a.command(args...)}
	fmt.Fprintf(a.Stdout, "%s\n", worst)
	for i := range run.Verdicts {
		a.showVerdict(&run.Verdicts[i])
		for _, detail := range run.Verdicts[i].Details {
			if f.ofFile {
				fmt.Fprintf(a.Stdout, "    %s\n", oneLine(detail))
			}
		}
	}
	if worst != linearizability.Valid {
		fmt.Fprintf(a.Stdout, "%s\n  %s\n", reproduceTitle, run.Reproduce)
	}
	return exitFor(worst)
}

// maxShownViolations bounds what a terminal shows of one check.
const maxShownViolations = 5

func (a checkCommand) showVerdict(v *linearizability.Verdict) {
	fmt.Fprintf(a.Stdout, "  %s: %s: %s\n", v.Checker, v.Validity, oneLine(v.Summary))
	for i := range v.Violations {
		if i == maxShownViolations {
			fmt.Fprintf(a.Stdout, "    and %d more\n", len(v.Violations)-i)
			break
		}
		text := fmt.Sprintf("%s: %s", v.Violations[i].Kind.Title(), v.Violations[i].Explain)
		if text != v.Summary { // which most often is the first of them
			fmt.Fprintf(a.Stdout, "    %s\n", oneLine(text))
		}
		for line := range strings.Lines(v.Violations[i].Drawing) {
			fmt.Fprintf(a.Stdout, "      %s\n", oneLine(strings.TrimRight(line, "\n")))
		}
	}
}

// oneLine makes text that came from a subject harmless for a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
