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
	// Runner is the backend that replays.
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

// Replay replays and judges one folder. If its outcome depends on the virtual hardware, which informs the
// master that a node is off, the folder is replayed with a power switch that can do so. The virtual
// hardware also knows which guests run on a node that is cut off, and lets an operator switch on what a
// device switched off: if the switch does not lead to the same outcome, nothing in a real cluster can.
func Replay(ctx context.Context, folder string, o Options) Result {
	c, err := loadFolder(folder)
	if err != nil {
		return Result{Name: filepath.Base(folder), Error: err.Error()}
	}
	return replayStrictly(ctx, c, o)
}

// replayWithWitness replays a scenario, and once more with a power switch if its outcome requires a
// witness.
func replayWithWitness(ctx context.Context, c *conformance.Scenario, o Options) Result {
	result, log := replayOnce(ctx, c, o, false)
	why := unguardedNodeReason(c.Expected, log)
	if result.T2 || why == "" {
		return result
	}
	switched, _ := replayOnce(ctx, c, o, true)
	if !switched.T1 || !switched.T2 {
		return Result{Name: c.Name, Log: result.Log, Inexpressible: fmt.Sprintf(
			"%v: %s, and only the virtual hardware knows what runs there", ErrNotExpressible, why)}
	}
	switched.Device = why
	return switched
}

// loadFolder reads a folder, which must have an expected log.
func loadFolder(folder string) (*conformance.Scenario, error) {
	c, err := conformance.Load(os.DirFS(folder), ".", filepath.Base(folder))
	if err == nil && c.Expected == "" {
		err = fmt.Errorf("log.expect is missing: %w", conformance.ErrScenario)
	}
	return c, err
}

// replayStrictly replays a scenario as a cluster decides. If a deliberate difference from the manager that
// the expected log is from leads to other transitions, the run is compared with the decisions alone.
func replayStrictly(ctx context.Context, c *conformance.Scenario, o Options) Result {
	differences, err := c.ExpectStrict(ctx)
	if err != nil {
		return Result{Name: c.Name, Error: err.Error()}
	}
	result := replayWithWitness(ctx, c, o)
	result.Differences = differences
	return result
}

// replayOnce replays a scenario once.
func replayOnce(ctx context.Context, c *conformance.Scenario, o Options,
	devices bool) (Result, []conformance.Line) {
	result := Result{Name: c.Name}
	log, err := result.replay(ctx, c, o, devices)
	switch {
	case errors.Is(err, ErrNotExpressible):
		result = Result{Name: c.Name, Inexpressible: err.Error(), Log: result.Log}
	case err != nil:
		result.Error = err.Error()
		result.T1, result.T2, result.Exact = false, false, false
	}
	return result, log
}

// replay runs the translated scenario and judges it; it returns the lines of the run's log.
func (result *Result) replay(ctx context.Context, c *conformance.Scenario, o Options,
	devices bool) ([]conformance.Line, error) {
	s, err := Translate(c, devices)
	if err != nil {
		return nil, err
	}
	subject, err := pve.Decode(s)
	if err != nil {
		return nil, err
	}
	run, err := o.Runner.Run(ctx, s, subject, scenarios.RunOptions{Seed: o.Seed, KeepLogs: true})
	if err != nil {
		return nil, err
	}
	for _, v := range run.Verdicts {
		if v.Validity == linearizability.Invalid && !slices.Contains(recoveryCheckers, v.Checker) {
			result.T2Differences = append(result.T2Differences, v.Checker+": "+v.Summary)
		}
	}
	seen := observeRun(run)
	result.judge(c.Expected, seen)
	return seen.log, nil
}

// notGuardedLine matches the log line of a master that does not recover a service because it has no proof
// that the service has ended.
var notGuardedLine = regexp.MustCompile(
	`^service '([^']+)' is not recovered from node '([^']+)': the node was not guarded`)

// unguardedNodeReason returns for which node a scenario needs a witness that a cluster has only with a
// fence device: the virtual hardware informs the master whether a node that was not guarded is off. It
// returns "" if there is none.
func unguardedNodeReason(expected string, log []conformance.Line) string {
	known := map[string]bool{}
	for _, line := range conformance.ParseLog(expected) {
		known[notGuardedLine.FindString(line.Message)] = true
	}
	for _, line := range log {
		if m := notGuardedLine.FindStringSubmatch(line.Message); m != nil && !known[m[0]] {
			return fmt.Sprintf("node %s was not guarded by its watchdog while it had %s", m[2], m[1])
		}
	}
	return ""
}

// recoveryCheckers are the checks of whether machines and services came back, which a scenario need not
// intend.
var recoveryCheckers = []string{"recovery", "ha-recovery", "ha-end"}
