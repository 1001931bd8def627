package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

// huntCommand is the word that makes this program hunt instead of building hunters.
const huntCommand = "hunt"

// catch is what a hunt brings home.
type catch struct {
	Found    bool   `json:"found"`
	Scenario string `json:"scenario,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`
	// Checker names who noticed, in the order of the checks; Summary is the first one's.
	Checker string `json:"checker,omitempty"`
	Summary string `json:"summary,omitempty"`
	Runs    uint64 `json:"runs"`
	Seconds int    `json:"seconds"`
	// CPUSeconds is the processor time that the hunt took: unlike Seconds it does not depend on
	// what else the machine does.
	CPUSeconds float64 `json:"cpu_seconds"`
}

// huntMain runs scenarios in turn, seed by seed, until a run is invalid or time is up. A run that
// cannot be decided counts for the clean engine only.
func huntMain(args []string) int {
	flags := flag.NewFlagSet(huntCommand, flag.ExitOnError)
	limit := flags.Duration("for", time.Minute, "how long to hunt")
	seeds := flags.Uint64("seeds", 1_000_000, "how many seeds of each scenario")
	clean := flags.Bool("clean", false, "stop at a run that cannot be decided, too")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	c, err := hunt(flags.Args(), *limit, *seeds, *clean)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hunt:", err)
		return exitInternal
	}
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		return exitInternal
	}
	return 0
}

func hunt(files []string, limit time.Duration, seeds uint64, clean bool) (catch, error) {
	start := time.Now()
	c := catch{}
	type prey struct {
		scenario *scenarios.Scenario
		subject  scenarios.Subject
	}
	var all []prey
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return c, err
		}
		s, subject, err := scenarios.Parse(file, data, scenarios.Kinds{pve.Kind: pve.Decode})
		if err != nil {
			return c, err
		}
		all = append(all, prey{s, subject})
	}
	for seed := uint64(1); seed <= seeds && time.Since(start) < limit; seed++ {
		for _, p := range all {
			run, err := sim.Runner{}.Run(context.Background(), p.scenario, p.subject, scenarios.RunOptions{Seed: seed})
			if err != nil {
				return c, err
			}
			c.Runs++
			// A planted bug is found when something is wrong. The clean engine must be right.
			if v := run.Verdict(); v == linearizability.Invalid || clean && v != linearizability.Valid {
				c.Found, c.Scenario, c.Seed = true, p.scenario.Name, seed
				c.note(run.Verdicts)
				c.Seconds = int(time.Since(start).Seconds())
				return c, nil
			}
		}
	}
	c.Seconds = int(time.Since(start).Seconds())
	return c, nil
}

// note keeps who is not content with a run.
func (c *catch) note(verdicts []linearizability.Verdict) {
	var names []string
	for _, v := range verdicts {
		if v.Validity == linearizability.Valid {
			continue
		}
		if len(names) == 0 {
			c.Summary, _, _ = strings.Cut(v.Summary, "\n")
		}
		names = append(names, v.Checker)
	}
	c.Checker = strings.Join(names, "+")
}
