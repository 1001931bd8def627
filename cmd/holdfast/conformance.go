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
	"github.com/holdfast-sim/holdfast/scenarios/pve/harandom"
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
		{Name: "ha-random", About: "Draw scenario folders and compare decisions alone with whole clusters",
			Long: randomHelp, Seeds: "1-20",
			Switches: []cli.Switch{{Name: wild,
				About: "any command at any time; what depends on the length of a round then differs"}},
			Values: []cli.Value{{Name: writeTo, About: "also write the drawn folders below `DIR`"}},
			Run:    runRandom},
	}
}

const randomHelp = `Draws a scenario folder of the HA manager for each seed: a cluster, services, rules or
groups, and commands and faults. Each is replayed twice with strict decisions, the logic alone on a
virtual cluster and then on a whole simulated cluster, and the transitions (T1) and outcomes (T2) of
both must agree. With --write, the folders can be replayed by another manager; those with --wild contain
any command at any time, as the folders of such a manager's own tests do.`

// Flags of ha-random: for a folder, and for folders with any command at any time.
const (
	writeTo = "write"
	wild    = "wild"
)

// runRandom draws folders and compares the logic alone with whole clusters.
func runRandom(ctx context.Context, _ []string, o cli.SuiteOptions) (linearizability.Validity, error) {
	kind := harandom.Calm
	if o.On[wild] {
		kind = harandom.Wild
	}
	if dir := o.Values[writeTo]; dir != "" {
		for seed := o.FirstSeed; seed <= o.LastSeed && seed >= o.FirstSeed; seed++ {
			if err := harandom.Draw(seed, kind).Write(dir); err != nil {
				return linearizability.Unknown, cli.Usage(err)
			}
		}
	}
	r, err := fullstack.RunRandom(ctx, o.FirstSeed, o.LastSeed, kind, fullstack.Options{Runner: sim.Runner{},
		Seed: fullStackSeed, Progress: func(r fullstack.Result) { o.Progress(r.Name) }})
	if err != nil {
		return linearizability.Unknown, err
	}
	return writeReport(o, r, r.Passed())
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
