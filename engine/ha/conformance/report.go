package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Options of RunHA.
type Options struct {
	// Progress is called after each folder, nil for never.
	Progress func(Result)
}

// Result is the judgement of one folder.
type Result struct {
	Name string `json:"name"`
	// T0, T1 and T2 are true for the tiers that the folder passed.
	T0 bool `json:"t0"`
	T1 bool `json:"t1"`
	T2 bool `json:"t2"`
	// Diff is the unified diff of the logs, "" when equal.
	Diff string `json:"diff,omitempty"`
	// T1Differences and T2Differences are the differences on these tiers.
	T1Differences []string `json:"t1_differences,omitempty"`
	T2Differences []string `json:"t2_differences,omitempty"`
	// DoubleRuns are the services that ran on two machines at once, as the virtual hardware recorded it,
	// unless they do so in the expected log.
	DoubleRuns []DoubleRun `json:"double_runs,omitempty"`
	// Error is set when the folder could not be replayed to its end.
	Error string `json:"error,omitempty"`
	// EndSeconds is the virtual time at the end.
	EndSeconds int64 `json:"end_seconds"`
	// Strict is what is different with strict decisions; nil if nothing is, or if the folder requests
	// decisions of its own.
	Strict *StrictResult `json:"strict,omitempty"`
}

// Report is the judgement of all folders.
type Report struct {
	Results []Result `json:"results"`
	// Total is the number of folders. T0, T1 and T2 are the numbers of folders that passed these tiers.
	Total int `json:"total"`
	T0    int `json:"t0"`
	T1    int `json:"t1"`
	T2    int `json:"t2"`
}

// Passed reports whether every folder passed every tier.
func (r *Report) Passed() bool {
	return r.Total > 0 && r.T0 == r.Total && r.T1 == r.Total && r.T2 == r.Total &&
		len(r.unexplainedFolders()) == 0
}

// WriteText writes the report for people: differences first, the sums last.
func (r *Report) WriteText(out io.Writer) error {
	mark := map[bool]string{true: "ok", false: "FAIL"}
	for _, result := range r.Results {
		if result.T0 && result.T1 && result.T2 {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s: T0 %s, T1 %s, T2 %s\n",
			result.Name, mark[result.T0], mark[result.T1], mark[result.T2]); err != nil {
			return err
		}
		if result.Error != "" {
			if _, err := fmt.Fprintf(out, "  error: %s\n", result.Error); err != nil {
				return err
			}
		}
		for _, line := range append(append([]string(nil), result.T2Differences...), result.T1Differences...) {
			if _, err := fmt.Fprintf(out, "  %s\n", line); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(out, result.Diff); err != nil {
			return err
		}
	}
	if err := r.writeStrict(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "T0 %d/%d, T1 %d/%d, T2 %d/%d\n", r.T0, r.Total, r.T1, r.Total, r.T2, r.Total)
	return err
}

// ErrNothing means that no folder to run was found.
var ErrNothing = errors.New("no scenario folder found")

// FindScenarios returns the scenario folders among dirs: a folder with a cmdlist is one, any other
// is searched for such folders directly below it.
func FindScenarios(dirs []string) ([]string, error) {
	var out []string
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "cmdlist")); err == nil {
			out = append(out, dir)
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("search scenarios in %s: %w", dir, err)
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			if _, err := os.Stat(filepath.Join(path, "cmdlist")); err == nil {
				out = append(out, path)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("search scenarios in %v: %w", dirs, ErrNothing)
	}
	sort.Strings(out)
	return out, nil
}

// RunHA replays and judges all scenario folders found in dirs. The error is about folders that
// cannot be read and about ctx; a scenario that fails is part of the report.
func RunHA(ctx context.Context, dirs []string, opts Options) (*Report, error) {
	folders, err := FindScenarios(dirs)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	for _, folder := range folders {
		result := JudgeFolder(ctx, os.DirFS(folder), ".", filepath.Base(folder))
		if err := ctx.Err(); err != nil {
			return report, fmt.Errorf("run scenario %s: %w", folder, err)
		}
		report.addResult(result)
		if opts.Progress != nil {
			opts.Progress(result)
		}
	}
	return report, nil
}

func (r *Report) addResult(result Result) {
	r.Results = append(r.Results, result)
	r.Total++
	for _, tier := range []struct {
		passed bool
		count  *int
	}{{result.T0, &r.T0}, {result.T1, &r.T1}, {result.T2, &r.T2}} {
		if tier.passed {
			*tier.count++
		}
	}
}

// JudgeFolder replays and judges one scenario folder of fsys.
func JudgeFolder(ctx context.Context, fsys fs.FS, dir, name string) Result {
	result := Result{Name: name}
	scenario, err := Load(fsys, dir, name)
	if err == nil && scenario.Expected == "" {
		err = fmt.Errorf("log.expect is missing: %w", ErrScenario)
	}
	if err != nil {
		result.Error = err.Error()
		return result
	}
	run, err := Replay(ctx, scenario)
	judge(&result, scenario.Expected, run)
	if err == nil && scenario.Datacenter.Decisions == ha.DecisionsUpstream {
		result.Strict, err = compareStrict(ctx, scenario, run)
	}
	if err != nil {
		result.Error = err.Error()
		result.T0, result.T1, result.T2 = false, false, false
	}
	return result
}

func judge(result *Result, expected string, run *Run) {
	got := run.Text()
	result.Diff = UnifiedDiff("log.expect", "log", expected, got)
	result.T0 = result.Diff == ""
	want := ParseLog(expected)
	result.T1Differences = compareTransitions(ExtractTransitions(want), ExtractTransitions(run.Log))
	result.T1 = len(result.T1Differences) == 0
	wantEnd := ExtractOutcome(want)
	result.T2Differences = compareOutcomes(wantEnd, ExtractOutcome(run.Log))
	result.DoubleRuns = newDoubleRuns(wantEnd.Double, run.Double)
	result.T2 = len(result.T2Differences) == 0 && len(result.DoubleRuns) == 0
	if len(run.Log) > 0 {
		result.EndSeconds = run.Log[len(run.Log)-1].Seconds
	}
}
