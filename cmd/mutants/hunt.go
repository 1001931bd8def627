package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha/conformance"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
	"github.com/holdfast-sim/holdfast/sim"
)

// huntCommand is the word that makes this program hunt instead of building hunters.
const huntCommand = "hunt"

// huntResult is the outcome of a hunt, which the hunting program prints as JSON.
type huntResult struct {
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
	flags := (&cobra.Command{Use: huntCommand}).Flags()
	limit := flags.Duration("for", time.Minute, "hunt for at most this `duration`")
	seeds := flags.Uint64("seeds", 1_000_000, "seeds of each scenario: 1 to `N`")
	clean := flags.Bool("clean", false, "stop at a run that is not as its scenario expects")
	checker := flags.String("checker", "", "only violations that the check of this `name` finds count")
	folders := flags.String("conformance", "", "scenario `folders` of the HA manager, separated by commas")
	if err := flags.Parse(args); err != nil {
		fmt.Fprintln(os.Stderr, "hunt:", err)
		return exitUsage
	}
	c := huntConformance(*folders)
	if !c.Found && flags.NArg() > 0 {
		runs := c.Runs
		var err error
		if c, err = hunt(flags.Args(), *limit, *seeds, huntTarget{*clean, *checker}); err != nil {
			fmt.Fprintln(os.Stderr, "hunt:", err)
			return exitInternal
		}
		c.Runs += runs
	}
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		return exitInternal
	}
	return 0
}

// huntConformance replays scenario folders and stops at one whose log is not the recorded one.
func huntConformance(folders string) (c huntResult) {
	for _, folder := range strings.FieldsFunc(folders, func(r rune) bool { return r == ',' }) {
		c.Runs++
		r := replay(folder)
		if r.T0 && r.T1 && r.T2 {
			continue
		}
		c.Found, c.Scenario = true, r.Name
		c.Checker, c.Summary = differingTiers(&r)
		break
	}
	return c
}

// replay judges one folder. A bug can end the decisions with an assertion; that is being noticed,
// too.
func replay(folder string) (r conformance.Result) {
	name := filepath.Base(folder)
	defer func() {
		if p := recover(); p != nil {
			r = conformance.Result{Name: name, Error: fmt.Sprintf("panic: %v", p)}
		}
	}()
	return conformance.JudgeFolder(context.Background(), os.DirFS(folder), ".", name)
}

// differingTiers names the tiers that a folder does not pass, and the first difference on the most telling
// one: a service that ran twice, another outcome, another way, another wording.
func differingTiers(r *conformance.Result) (names, difference string) {
	var failed []string
	for _, t := range []struct {
		passed      bool
		name        string
		differences []string
	}{
		{r.T2, "conformance T2", r.T2Differences},
		{r.T1, "conformance T1", r.T1Differences},
		{r.T0, "conformance T0", strings.SplitN(r.Diff, "\n", 2)},
	} {
		if t.passed {
			continue
		}
		failed = append(failed, t.name)
		if difference == "" && len(t.differences) > 0 {
			difference = t.differences[0]
		}
	}
	if len(r.DoubleRuns) > 0 {
		difference = fmt.Sprintf("runs twice: %v", r.DoubleRuns[0])
	}
	if r.Error != "" {
		difference = r.Error
	}
	return strings.Join(failed, "+"), difference
}

// huntTarget is what a hunt looks for.
type huntTarget struct {
	// isClean reports that the engine has no bug, so every run must be as its scenario expects.
	isClean bool
	// checker names the check whose violations count, "" for any: a bug that hides what is wrong is looked
	// for in scenarios that are invalid anyway.
	checker string
}

// isIn reports whether a run shows what is looked for.
func (q huntTarget) isIn(run *scenarios.Run) bool {
	verdict := run.Verdict()
	if q.checker != "" {
		i := slices.IndexFunc(run.Verdicts,
			func(v linearizability.Verdict) bool { return v.Checker == q.checker })
		if i < 0 {
			return q.isClean // a check that is not made finds nothing
		}
		if own := run.Verdicts[i].Validity; !q.isClean || own != linearizability.Valid {
			return own != linearizability.Valid
		}
	}
	if q.isClean {
		return verdict.String() != cmp.Or(run.Scenario.Expect.Verdict, linearizability.Valid.String())
	}
	return verdict == linearizability.Invalid
}

func hunt(files []string, limit time.Duration, seeds uint64, q huntTarget) (huntResult, error) {
	start := time.Now()
	c := huntResult{}
	type huntCase struct {
		scenario *scenarios.Scenario
		subject  scenarios.Subject
	}
	var all []huntCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return c, err
		}
		s, subject, err := scenarios.Parse(file, data, scenarios.Kinds{pve.Kind: pve.Decode})
		if err != nil {
			return c, err
		}
		all = append(all, huntCase{s, subject})
	}
	for seed := uint64(1); seed <= seeds && time.Since(start) < limit; seed++ {
		for _, p := range all {
			run, err := sim.Runner{}.Run(context.Background(), p.scenario, p.subject,
				scenarios.RunOptions{Seed: seed})
			if err != nil {
				return c, err
			}
			c.Runs++
			if q.isIn(run) {
				c.Found, c.Scenario, c.Seed = true, p.scenario.Name, seed
				c.addRun(q.of(run.Verdicts))
				c.Seconds = int(time.Since(start).Seconds())
				return c, nil
			}
		}
	}
	c.Seconds = int(time.Since(start).Seconds())
	return c, nil
}

// of returns the verdicts that count.
func (q huntTarget) of(verdicts []linearizability.Verdict) []linearizability.Verdict {
	if q.checker == "" || q.isClean {
		return verdicts
	}
	return slices.DeleteFunc(slices.Clone(verdicts),
		func(v linearizability.Verdict) bool { return v.Checker != q.checker })
}

// addRun keeps the checkers that find something in a run.
func (c *huntResult) addRun(verdicts []linearizability.Verdict) {
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
