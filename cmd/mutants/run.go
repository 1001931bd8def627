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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type options struct {
	catalogue, namePattern   string
	huntLimit                time.Duration
	includesSlow, checksOnly bool
	huntsNetns               bool
	writesJSON, writesTable  bool
	workers                  int
	// compared are scenario files in which the strategies are compared; runsEach and firstSeed are the seeds.
	compared            []string
	runsEach, firstSeed uint64
	strategies          []string
	// keepDir is a folder for programs that have the bugs that were found; nothing is kept unless given.
	keepDir string
}

// errMissed means that a bug was not found, or that the clean engine is not clean.
var errMissed = errors.New("not all planted bugs were found, or the clean engine failed")

// result is the outcome for one bug.
type result struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"` // found, missed, slow, unclean, compiles
	// Again is the command that shows the bug, where the program was kept.
	Again string `json:"again,omitempty"`
	huntResult
}

func run(ctx context.Context, o *options) error {
	mutants, err := readCatalogue(o.catalogue, o.namePattern)
	if err != nil {
		return err
	}
	if !o.checksOnly {
		mutants = slices.DeleteFunc(mutants, func(m *mutant) bool { return m.HeldOut })
	}
	dir, err := os.MkdirTemp("", "holdfast-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &builder{workDir: dir}
	h := &huntRunner{options: o, builder: b}
	if !o.checksOnly {
		if h.cleanProgram, err = b.buildClean(ctx); err != nil {
			return err
		}
	}
	if err := h.huntAll(ctx, mutants); err != nil {
		return err
	}
	return h.netnsPart(ctx)
}

// huntRunner looks for planted bugs, several at a time.
type huntRunner struct {
	*options
	builder      *builder
	cleanProgram string
	mu           sync.Mutex
	hasFailed    bool
	tableRows    []string // of the table
}

func (h *huntRunner) huntAll(ctx context.Context, mutants []*mutant) error {
	jobs := make(chan *mutant)
	errs := make(chan error, h.workers)
	for range h.workers {
		go func() {
			var failed error
			for m := range jobs {
				if failed == nil {
					failed = h.huntOne(ctx, m)
				}
			}
			errs <- failed
		}()
	}
	for _, m := range mutants {
		jobs <- m
	}
	close(jobs)
	var failed []error
	for range h.workers {
		failed = append(failed, <-errs)
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	slices.Sort(h.tableRows)
	for _, row := range h.tableRows {
		fmt.Println(row)
	}
	if h.hasFailed {
		return errMissed
	}
	return nil
}

func (h *huntRunner) huntOne(ctx context.Context, m *mutant) error {
	if m.Slow > 0 && !h.includesSlow && !h.checksOnly {
		h.reportProgress(result{Name: m.Name, Outcome: "slow"}, m)
		return nil
	}
	if h.checksOnly {
		err := h.builder.compiles(ctx, m)
		if err == nil {
			h.reportProgress(result{Name: m.Name, Outcome: "compiles"}, m)
		}
		return err
	}
	program, err := h.builder.buildPlanted(ctx, m)
	if err != nil {
		return err
	}
	defer os.Remove(program)
	c, err := h.hunt(ctx, program, m, max(h.huntLimit, 3*m.Slow), 0)
	if err != nil {
		return fmt.Errorf("hunting %s: %w", m.Name, err)
	}
	r := result{Name: m.Name, Outcome: "found", huntResult: c}
	if !c.Found {
		r.Outcome = "missed"
	} else {
		again, err := h.hunt(ctx, h.cleanProgram, m, h.huntLimit+3*m.Slow, max(c.Seed, 1))
		if err != nil {
			return fmt.Errorf("running the seeds of %s with the clean engine: %w", m.Name, err)
		}
		if again.Found {
			r.Outcome, r.huntResult = "unclean", again
		}
	}
	if h.keepDir != "" && r.Outcome == "found" && r.Seed > 0 { // a scenario folder has no seed, and no page
		if r.Again, err = h.keepProgram(ctx, m, &r.huntResult); err != nil {
			return err
		}
	}
	h.reportProgress(r, m)
	return nil
}

// keepProgram keeps the harness with a bug in it, and returns the command that shows what it does.
func (h *huntRunner) keepProgram(ctx context.Context, m *mutant, c *huntResult) (string, error) {
	dir, err := h.builder.buildPrograms(ctx, m)
	if err != nil {
		return "", err
	}
	to := filepath.Join(h.keepDir, m.Name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", fmt.Errorf("creating the folder of --keep: %w", err)
	}
	name := "holdfast" + exeSuffix()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, name), data, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("keeping the program of %s: %w", m.Name, err)
	}
	return fmt.Sprintf("%s run %s --seed %d", filepath.Join(to, name), huntFile(h.catalogue, c.Scenario),
		c.Seed), nil
}

// exeSuffix ends the names of programs.
func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// hunt runs the program of a hunt; seeds > 0 is the clean engine's share, else as many as there is time
// for are run.
func (h *huntRunner) hunt(ctx context.Context, program string, m *mutant, limit time.Duration,
	seeds uint64) (huntResult, error) {
	args := []string{huntCommand, "--for", limit.String()}
	if seeds > 0 {
		args = append(args, "--clean", "--seeds", strconv.FormatUint(seeds, 10))
	}
	if len(m.Conformance) > 0 {
		args = append(args, "--conformance", strings.Join(m.folders(), ","))
	}
	if m.Checker != "" {
		args = append(args, "--checker", m.Checker)
	}
	for _, name := range m.Hunts {
		args = append(args, huntFile(h.catalogue, name))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return huntResult{}, fmt.Errorf("%w: %s", err, problems.Bytes())
	}
	var c huntResult
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		return huntResult{}, fmt.Errorf("reading the result of the hunt: %w", err)
	}
	c.CPUSeconds = (cmd.ProcessState.UserTime() +
		cmd.ProcessState.SystemTime()).Round(100 * time.Millisecond).Seconds()
	return c, nil
}

func (h *huntRunner) reportProgress(r result, m *mutant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Outcome == "missed" || r.Outcome == "unclean" {
		h.hasFailed = true
	}
	if h.writesTable {
		seed := "-" // a scenario folder has none
		if r.Seed > 0 {
			seed = strconv.FormatUint(r.Seed, 10)
		}
		h.tableRows = append(h.tableRows, fmt.Sprintf("| %s | %s | %s | %s | %s | %.1f | %s |", r.Name,
			r.Outcome,
			strings.ReplaceAll(m.Reference, "|",
				"/"), r.Scenario, seed, r.CPUSeconds, strings.ReplaceAll(r.Checker, "+", ", ")))
		return
	}
	if h.writesJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	switch r.Outcome {
	case "found":
		fmt.Printf("found    %-34s %4d s (%.1f s cpu)  %s seed %d, run %d, by %s: %.110s\n",
			r.Name, r.Seconds, r.CPUSeconds, r.Scenario, r.Seed, r.Runs, r.Checker, r.Summary)
		if r.Again != "" {
			fmt.Printf("         to see it: %s\n", r.Again)
		}
	case "missed":
		fmt.Printf("MISSED   %-34s %4d s (%.1f s cpu)  after %d runs\n", r.Name, r.Seconds, r.CPUSeconds,
			r.Runs)
	case "unclean":
		fmt.Printf("UNCLEAN  %-34s the clean engine fails at %s seed %d by %s: %s\n",
			r.Name, r.Scenario, r.Seed, r.Checker, r.Summary)
	case "slow":
		fmt.Printf("slow     %-34s takes about %v: run with --slow\n", r.Name, m.Slow)
	default:
		fmt.Printf("%-8s %s\n", r.Outcome, r.Name)
	}
}
