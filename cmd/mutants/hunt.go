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
	Checker  string `json:"checker,omitempty"`
	Summary  string `json:"summary,omitempty"`
	Runs     uint64 `json:"runs"`
	Seconds  int    `json:"seconds"`
}

// huntMain runs scenarios in turn, seed by seed, until a run is not valid or time is up.
func huntMain(args []string) int {
	flags := flag.NewFlagSet(huntCommand, flag.ExitOnError)
	limit := flags.Duration("for", time.Minute, "how long to hunt")
	seeds := flags.Uint64("seeds", 1_000_000, "how many seeds of each scenario")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	c, err := hunt(flags.Args(), *limit, *seeds)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hunt:", err)
		return exitInternal
	}
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		return exitInternal
	}
	return 0
}

func hunt(files []string, limit time.Duration, seeds uint64) (catch, error) {
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
			for _, v := range run.Verdicts {
				if v.Validity != linearizability.Valid {
					c.Found, c.Scenario, c.Seed, c.Checker = true, p.scenario.Name, seed, v.Checker
					c.Summary, _, _ = strings.Cut(v.Summary, "\n")
					c.Seconds = int(time.Since(start).Seconds())
					return c, nil
				}
			}
		}
	}
	c.Seconds = int(time.Since(start).Seconds())
	return c, nil
}
