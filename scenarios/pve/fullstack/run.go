package fullstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// Options of Run.
type Options struct {
	// Runner is the world to replay in.
	Runner scenarios.Runner
	// Seed decides every draw of the runs.
	Seed uint64
	// Progress is called after each folder, nil for never.
	Progress func(Result)
}

// Run replays and judges all scenario folders found in dirs. The error is about folders that cannot
// be read and about ctx; a scenario that fails is part of the report.
func Run(ctx context.Context, dirs []string, o Options) (*Report, error) {
	folders, err := conformance.FindScenarios(dirs)
	if err != nil {
		return nil, err
	}
	report := &Report{Rules: Rules}
	for _, folder := range folders {
		result := Replay(ctx, folder, o)
		if err := ctx.Err(); err != nil {
			return report, fmt.Errorf("replaying %s: %w", folder, err)
		}
		report.add(result)
		if o.Progress != nil {
			o.Progress(result)
		}
	}
	return report, nil
}

// Replay replays and judges one folder.
func Replay(ctx context.Context, folder string, o Options) Result {
	result := Result{Name: filepath.Base(folder)}
	err := result.replay(ctx, folder, o)
	switch {
	case errors.Is(err, ErrNotExpressible):
		result = Result{Name: result.Name, Inexpressible: err.Error(), Log: result.Log}
	case err != nil:
		result.Error = err.Error()
		result.T1, result.T2, result.Exact = false, false, false
	}
	return result
}

func (result *Result) replay(ctx context.Context, folder string, o Options) error {
	c, err := conformance.Load(os.DirFS(folder), ".", result.Name)
	if err != nil {
		return err
	}
	if c.Expected == "" {
		return fmt.Errorf("log.expect is missing: %w", conformance.ErrScenario)
	}
	s, err := Translate(c)
	if err != nil {
		return err
	}
	subject, err := pve.Decode(s)
	if err != nil {
		return err
	}
	run, err := o.Runner.Run(ctx, s, subject, scenarios.RunOptions{Seed: o.Seed, KeepLogs: true})
	if err != nil {
		return err
	}
	for _, v := range run.Verdicts {
		if v.Validity == linearizability.Invalid && !slices.Contains(ofFaults, v.Checker) {
			result.T2Differences = append(result.T2Differences, v.Checker+": "+v.Summary)
		}
	}
	seen := follow(run)
	result.judge(c.Expected, seen)
	if why := unwitnessed(c.Expected, seen.log); why != "" && !result.T2 {
		return fmt.Errorf("%w: %s", ErrNotExpressible, why)
	}
	return nil
}

// unguarded is what a master says when it leaves a service alone because nothing proves that it has
// ended.
var unguarded = regexp.MustCompile(`^service '([^']+)' is not recovered from node '([^']+)': the node was not guarded`)

// unwitnessed says whether a scenario counts on a witness that a real cluster does not have: the
// virtual hardware tells the master whether a node that was never guarded is off.
func unwitnessed(expected string, log []conformance.Line) string {
	known := map[string]bool{}
	for _, line := range conformance.ParseLog(expected) {
		known[unguarded.FindString(line.Message)] = true
	}
	for _, line := range log {
		if m := unguarded.FindStringSubmatch(line.Message); m != nil && !known[m[0]] {
			return fmt.Sprintf("node %s was not guarded by its watchdog while it had %s, and without a fence device "+
				"nobody can tell whether it is off; in the scenario the hardware tells", m[2], m[1])
		}
	}
	return ""
}

// ofFaults are the checks that ask whether machines and services came back, which a scenario need
// not intend.
var ofFaults = []string{"recovery", "ha-recovery", "ha-end"}
