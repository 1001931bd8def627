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
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/campaign"
)

// searchByCampaign looks for a bug without knowing it: by a campaign without arguments, on one processor. The
// bug's own hunts are not used.
func (h *hunter) searchByCampaign(ctx context.Context, m *mutant) (result, error) {
	r := result{Name: m.Name, Outcome: "missed"}
	dir, err := h.builder.buildPrograms(ctx, m)
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	runs, err := os.MkdirTemp(h.builder.workDir, "runs-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(runs)
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "holdfast"+exeSuffix()), "campaign", "--json",
		"--quiet", "--stop-at-first", "--shrink", "0", "--workers", "1", "--for", h.campaign.String(),
		"--runs", runs)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	begin := time.Now()
	err = cmd.Run()
	r.Seconds = int(time.Since(begin).Seconds())
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		return r, err
	}
	var s campaign.Summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return r, fmt.Errorf("reading the summary of a campaign: %w: %s", err, problems.Bytes())
	}
	r.Runs = uint64(s.Runs)
	r.CPUSeconds = (cmd.ProcessState.UserTime() +
		cmd.ProcessState.SystemTime()).Round(100 * time.Millisecond).Seconds()
	for _, g := range s.Groups {
		if g.Verdict != linearizability.Invalid && g.Checker != "" {
			continue
		}
		r.Outcome, r.Found = "found", true
		r.Scenario, r.Seed, r.Checker, r.Summary = g.First.Scenario, g.First.Seed, g.Checker, g.First.Why
		if g.First.Strategy != "" {
			r.Scenario += " (" + g.First.Strategy + ")"
		}
		break
	}
	return r, nil
}
