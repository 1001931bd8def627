package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/holdfast-sim/holdfast/cmd/cli"
	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios/pve/fullstack"
	"github.com/holdfast-sim/holdfast/sim"
)

// suites are the conformance suites of the HA manager.
func suites() []cli.Suite {
	return []cli.Suite{
		{Name: "ha", About: "Replay scenario folders of the HA manager and compare their logs, by tier",
			Switches: []cli.Switch{{Name: fullStack,
				About: "replay on whole simulated clusters, not only the logic; tiers T1 and T2"}},
			Run: func(ctx context.Context, folders []string, o cli.SuiteOptions) (
				linearizability.Validity, error) {
				if o.On[fullStack] {
					return runFullStack(ctx, folders, o)
				}
				r, err := conformance.RunHA(ctx, folders, conformance.Options{
					Progress: func(r conformance.Result) { o.Progress(r.Name) }})
				if err != nil {
					return linearizability.Unknown, notFound(err)
				}
				return writeReport(o, r, r.Passed())
			}},
		{Name: "ha-rules", About: "Normalize rule files of the HA manager and compare the results",
			Run: func(ctx context.Context, folders []string, o cli.SuiteOptions) (
				linearizability.Validity, error) {
				r, err := conformance.RunRules(ctx, folders)
				if err != nil {
					return linearizability.Unknown, notFound(err)
				}
				return writeReport(o, r, r.Passed())
			}},
	}
}

// fullStack is the switch for whole clusters.
const fullStack = "full-stack"

// fullStackSeed decides every draw of a replay.
const fullStackSeed = 1

func runFullStack(ctx context.Context, folders []string, o cli.SuiteOptions) (
	linearizability.Validity, error) {
	r, err := fullstack.Run(ctx, folders, fullstack.Options{Runner: sim.Runner{}, Seed: fullStackSeed,
		Progress: func(r fullstack.Result) { o.Progress(r.Name) }})
	if err != nil {
		return linearizability.Unknown, notFound(err)
	}
	return writeReport(o, r, r.Passed())
}

// writeReport writes a report and returns whether the suite passed.
func writeReport(o cli.SuiteOptions, report interface{ WriteText(io.Writer) error }, passed bool) (
	linearizability.Validity, error) {
	var err error
	if o.JSON {
		err = json.NewEncoder(o.Out).Encode(report)
	} else {
		err = report.WriteText(o.Out)
	}
	switch {
	case err != nil:
		return linearizability.Unknown, fmt.Errorf("writing the report: %w", err)
	case passed:
		return linearizability.Valid, nil
	}
	return linearizability.Invalid, nil
}

// notFound marks errors about folders as errors of the command line.
func notFound(err error) error {
	if errors.Is(err, conformance.ErrNothing) || errors.Is(err, fs.ErrNotExist) {
		return cli.Usage(err)
	}
	return err
}
