package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/chaos"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
)

// netnsCatalogue is the folder of bugs, in a catalogue, that real nodes show: mostly bugs of the
// harness's own hardware. A hunt is one run of a story, some one and a half minutes.
const netnsCatalogue = "netns"

// netnsAttempts is how often a hunt is run: on a machine with other load a run may end
// undecided.
const netnsAttempts = 2

// netnsRunLimit is how long one run may take; a run of two minutes also takes some time to judge.
const netnsRunLimit = 5 * time.Minute

// skipNetns names the bugs that are not looked for, and why.
func skipNetns(list []*mutant, why string) {
	for _, m := range list {
		fmt.Printf("skipped  %-34s %s\n", m.Name, why)
	}
}

// netnsPart checks the bugs of real nodes where only that is asked for, and names them otherwise.
func (h *huntRunner) netnsPart(ctx context.Context) error {
	if !exists(filepath.Join(h.catalogue, netnsCatalogue)) {
		return nil
	}
	list, err := readCatalogue(filepath.Join(h.catalogue, netnsCatalogue), ".")
	if err != nil {
		return err
	}
	switch {
	case h.checksOnly && h.namePattern == "":
		return runNetns(ctx, h.options)
	case h.namePattern == "" && !h.writesTable && !h.writesJSON:
		skipNetns(list, "needs real nodes: run as root with --netns")
	}
	return nil
}

// runNetns plants the bugs of real nodes, one after the other.
func runNetns(ctx context.Context, o *options) error {
	list, err := readCatalogue(filepath.Join(o.catalogue, netnsCatalogue), o.namePattern)
	if err != nil {
		return err
	}
	if why := chaos.Why(); why != nil && !o.checksOnly {
		skipNetns(list, why.Error())
		return nil
	}
	dir, err := os.MkdirTemp("", "hfm")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h := &netnsHunter{options: o, builder: &builder{workDir: dir}, cleanResults: map[string]huntResult{}}
	missed := false
	for _, m := range list {
		outcome, err := h.huntMutant(ctx, m)
		if err != nil {
			return fmt.Errorf("hunting %s: %w", m.Name, err)
		}
		missed = missed || outcome == "missed" || outcome == "unclean"
	}
	if missed {
		return errMissed
	}
	return nil
}

type netnsHunter struct {
	*options
	builder      *builder
	cleanResults map[string]huntResult // by hunt: the run without a bug
}

func (h *netnsHunter) huntMutant(ctx context.Context, m *mutant) (outcome string, err error) {
	r := result{Name: m.Name, Outcome: "compiles"}
	if h.checksOnly {
		err = h.builder.compiles(ctx, m)
	} else {
		var bin string
		if bin, err = h.builder.buildPrograms(ctx, m); err == nil {
			r.Outcome, r.huntResult, err = h.huntPlanted(ctx, m, bin)
		}
	}
	if err != nil {
		return "", err
	}
	(&huntRunner{options: h.options}).reportProgress(r, m)
	return r.Outcome, nil
}

func (h *netnsHunter) huntPlanted(ctx context.Context, m *mutant, bin string) (string, huntResult, error) {
	for _, story := range m.Hunts {
		c, err := h.runScenario(ctx, bin, story)
		if err != nil {
			return "", c, err
		}
		if !c.Found || m.Checker != "" && !strings.Contains("+"+c.Checker+"+", "+"+m.Checker+"+") {
			if c.Found {
				c.Summary = "noticed by others than " + m.Checker + ": " + c.Summary
			}
			continue
		}
		clean, err := h.cleanRun(ctx, story)
		if err != nil {
			return "", c, err
		}
		if clean.Checker != "" {
			return "unclean", clean, nil
		}
		return "found", c, nil
	}
	return "missed", huntResult{Runs: uint64(len(m.Hunts))}, nil
}

// cleanRun runs a hunt without a bug, once for all bugs. What cannot be decided is run again.
func (h *netnsHunter) cleanRun(ctx context.Context, story string) (huntResult, error) {
	if c, done := h.cleanResults[story]; done {
		return c, nil
	}
	bin, err := h.builder.buildPrograms(ctx, nil)
	if err != nil {
		return huntResult{}, err
	}
	var c huntResult
	for attempt := 1; attempt <= netnsAttempts; attempt++ {
		if c, err = h.runScenario(ctx, bin, story); err != nil || c.Checker == "" {
			break
		}
		fmt.Printf("again    %-34s attempt %d of the clean engine: by %s: %.110s\n", story, attempt,
			c.Checker, c.Summary)
	}
	h.cleanResults[story] = c
	return c, err
}

// runScenario runs a story on real nodes. Found means that it is wrong, a checker alone that it is undecided.
func (h *netnsHunter) runScenario(ctx context.Context, bin, story string) (huntResult, error) {
	if file := filepath.Join(h.catalogue, netnsCatalogue, "hunts", story+".yaml"); exists(file) {
		story = file
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, netnsRunLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "holdfast"), "run", story, "--on", chaos.Backend,
		"--json",
		"--runs", filepath.Join(h.builder.workDir, "runs"))
	cmd.Env = append(os.Environ(), hostdriver.BinDirEnv+"="+bin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if ctx.Err() != nil {
		return huntResult{}, fmt.Errorf("running %s: it does not end: %w", story, context.Cause(ctx))
	}
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return huntResult{}, err
	}
	var line struct {
		Verdict, Scenario string
		Seed              uint64
		Checks            []struct{ Checker, Verdict, Summary string }
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		return huntResult{}, fmt.Errorf("reading what became of the run: %w: %s%s", err, out.Bytes(),
			problems.Bytes())
	}
	c := huntResult{Found: line.Verdict == "invalid", Scenario: line.Scenario, Seed: line.Seed, Runs: 1,
		Seconds: int(time.Since(start).Seconds()),
		CPUSeconds: (cmd.ProcessState.UserTime() +
			cmd.ProcessState.SystemTime()).Round(100 * time.Millisecond).Seconds()}
	var names []string
	for _, check := range line.Checks {
		if check.Verdict == "valid" {
			continue
		}
		if names = append(names, check.Checker); len(names) == 1 {
			c.Summary = check.Summary
		}
	}
	c.Checker = strings.Join(names, "+")
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
