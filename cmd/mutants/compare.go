package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/scenarios/raft"
	"github.com/holdfast-sim/holdfast/sim"
)

// strategyCommand is the word that makes this program run one scenario with one strategy.
const strategyCommand = "strategy"

// strategyResult is what came of the runs of a scenario with a strategy.
type strategyResult struct {
	Bug      string `json:"bug,omitempty"`
	Scenario string `json:"scenario"`
	Strategy string `json:"strategy"`
	Runs     uint64 `json:"runs"`
	Found    uint64 `json:"found"`   // runs with a violation
	Unknown  uint64 `json:"unknown"` // runs that could not be decided
	// CPUSeconds is the processor time of the runs, with the start of the program.
	CPUSeconds float64 `json:"cpu_seconds"`
}

// compare runs scenarios with every strategy, so many runs each, and prints how often a minute of processor
// time finds a violation. Each bug that the name pattern matches is planted; without a pattern none is, for
// scenarios whose subject has a bug of its own.
func compare(ctx context.Context, o *options) error {
	dir, err := os.MkdirTemp("", "holdfast-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &builder{workDir: dir}
	programs := map[string]string{}
	var bugs []string
	if o.namePattern == "" {
		bugs = append(bugs, "")
		if programs[""], err = b.buildClean(ctx); err != nil {
			return err
		}
	} else {
		planted, err := readCatalogue(o.catalogue, o.namePattern)
		if err != nil {
			return err
		}
		for _, m := range planted {
			if m.HeldOut {
				return fmt.Errorf("%s is held out: no strategy is tuned with it", m.Name)
			}
			bugs = append(bugs, m.Name)
			if programs[m.Name], err = b.buildPlanted(ctx, m); err != nil {
				return err
			}
		}
	}
	for _, bug := range bugs {
		for _, file := range o.compared {
			for _, strategy := range o.strategies {
				r, err := runMany(ctx, programs[bug], file, strategy, o)
				if err != nil {
					return err
				}
				r.Bug = bug
				if err := r.print(o.writesJSON); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// runMany lets a program make the runs of one strategy, as an own process whose processor time is known.
func runMany(ctx context.Context, program, file, strategy string, o *options) (r strategyResult, err error) {
	cmd := exec.CommandContext(ctx, program, strategyCommand, "--strategy", strategy,
		"--first", fmt.Sprint(o.firstSeed), "--runs", fmt.Sprint(o.runsEach), file)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("running %s with the strategy %s: %w: %s", file, strategy, err, problems.Bytes())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("reading the result of %s with the strategy %s: %w", file, strategy, err)
	}
	r.CPUSeconds = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return r, nil
}

func (r *strategyResult) print(asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	low, high := poissonInterval(r.Found)
	minutes := max(r.CPUSeconds, 1e-3) / time.Minute.Seconds()
	_, err := fmt.Printf("%-34s %-24s %-8s %4d of %5d runs, %3d unknown, %6.1f s; "+
		"a minute %6.1f (%.1f to %.1f)\n", r.Bug, r.Scenario, r.Strategy, r.Found, r.Runs, r.Unknown,
		r.CPUSeconds, float64(r.Found)/minutes, low/minutes, high/minutes)
	return err
}

// poissonInterval returns the 90 % interval of the mean of a Poisson distribution of which one value was
// seen.
func poissonInterval(seen uint64) (low, high float64) {
	const tail = 0.05
	if seen > 0 {
		low = bisect(seen, func(mean float64) bool { return 1-atMost(seen-1, mean) > tail })
	}
	return low, bisect(seen, func(mean float64) bool { return atMost(seen, mean) < tail })
}

// bisect returns the least mean at which a condition holds that holds for all larger ones.
func bisect(seen uint64, holds func(mean float64) bool) float64 {
	low, high := 0.0, 2*float64(seen)+20
	for range 60 {
		if middle := (low + high) / 2; holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// atMost returns the probability of at most so many events.
func atMost(count uint64, mean float64) float64 {
	sum, term := 0.0, math.Exp(-mean)
	for k := uint64(0); k <= count; k++ {
		sum += term
		term *= mean / float64(k+1)
	}
	return sum
}

// strategyMain makes the runs of one scenario with one strategy and prints a [strategyResult].
func strategyMain(args []string) int {
	flags := (&cobra.Command{Use: strategyCommand}).Flags()
	strategy := flags.String("strategy", explore.Plain, "the `strategy`")
	first := flags.Uint64("first", 1, "first `seed`")
	runs := flags.Uint64("runs", 100, "`number` of runs")
	err := flags.Parse(args)
	if err == nil && flags.NArg() != 1 {
		err = fmt.Errorf("%d scenario files: name one", flags.NArg())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "strategy:", err)
		return exitUsage
	}
	r, err := runStrategy(flags.Arg(0), *strategy, *first, *runs)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "strategy:", err)
		return exitInternal
	}
	return exitFound
}

func runStrategy(file, strategy string, first, runs uint64) (r strategyResult, err error) {
	kinds := scenarios.Kinds{pve.Kind: pve.Decode, raft.Kind: raft.Decode}
	s, subject, err := scenarios.Load(os.DirFS(filepath.Dir(file)), filepath.Base(file), kinds)
	if err != nil {
		return r, err
	}
	r = strategyResult{Scenario: s.Name, Strategy: strategy}
	for seed := first; seed < first+runs; seed++ {
		changed, with, err := explore.Apply(strategy, s, subject, seed)
		if err != nil {
			return r, err
		}
		run, err := sim.Runner{}.Run(context.Background(), changed, with, scenarios.RunOptions{Seed: seed,
			Records: func(scenarios.Stamped) {}})
		if err != nil {
			return r, err
		}
		r.Runs++
		switch run.Verdict() {
		case linearizability.Invalid:
			r.Found++
		case linearizability.Unknown:
			r.Unknown++
		}
	}
	return r, nil
}
