package conformance

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// StrictResult describes how a scenario ends otherwise with strict decisions than with those of Proxmox
// VE's manager.
type StrictResult struct {
	// Differences are the deliberate differences without which the log would be another one. None means
	// that it is not documented why the logs differ, which is an error of the engine.
	Differences []ha.Difference `json:"differences"`
	// T1 is true if only wording and times differ, T2 if the outcome is the same.
	T1 bool `json:"t1"`
	T2 bool `json:"t2"`
	// DoubleRuns are services that ran on two machines at once with the decisions of Proxmox VE's manager.
	DoubleRuns []DoubleRun `json:"double_runs,omitempty"`
}

// WithDecisions returns the scenario with another setting.
func (s *Scenario) WithDecisions(decisions ha.Decisions) *Scenario {
	out := *s
	out.Datacenter.Decisions = decisions
	return &out
}

// ExpectStrict changes a scenario with decisions as upstream to strict ones. If they lead to other
// transitions or another outcome, the expected log becomes that of the decisions alone, and the
// deliberate differences that are the reason are returned.
func (s *Scenario) ExpectStrict(ctx context.Context) ([]ha.Difference, error) {
	if s.Datacenter.Decisions != ha.DecisionsUpstream {
		return nil, nil
	}
	upstream, err := Replay(ctx, s)
	if err != nil {
		return nil, err
	}
	different, err := compareStrict(ctx, s, upstream)
	s.Datacenter.Decisions = ha.DecisionsStrict
	if err != nil || different == nil || different.T1 && different.T2 {
		return nil, err
	}
	strict, err := Replay(ctx, s)
	if err != nil {
		return nil, err
	}
	s.Expected = strict.Text()
	return different.Differences, nil
}

// compareStrict replays a scenario with strict decisions and compares that with a run with the decisions of
// Proxmox VE's manager. It returns nil if the logs are equal.
func compareStrict(ctx context.Context, s *Scenario, upstream *Run) (*StrictResult, error) {
	strict, err := Replay(ctx, s.WithDecisions(ha.DecisionsStrict))
	if err != nil {
		return nil, fmt.Errorf("with strict decisions: %w", err)
	}
	for _, twice := range strict.Double {
		return nil, fmt.Errorf("with strict decisions %s ran on two machines at %d s: %w", twice.SID,
			twice.Seconds, ErrScenario)
	}
	if strict.Text() == upstream.Text() {
		return nil, nil
	}
	result := &StrictResult{DoubleRuns: upstream.Double}
	for _, id := range strict.Differences {
		without, err := replayWithout(ctx, s.WithDecisions(ha.DecisionsStrict), id)
		if err != nil || without.Text() != strict.Text() {
			result.Differences = append(result.Differences, id)
		}
	}
	wanted, got := ExtractTransitions(upstream.Log), ExtractTransitions(strict.Log)
	result.T1 = len(compareTransitions(wanted, got)) == 0
	end, strictEnd := ExtractOutcome(upstream.Log), ExtractOutcome(strict.Log)
	result.T2 = len(compareOutcomes(end, strictEnd)) == 0
	return result, nil
}

// unexplainedFolders returns the folders whose logs differ with strict decisions for a reason that is not
// documented.
func (r *Report) unexplainedFolders() (names []string) {
	for _, result := range r.Results {
		if result.Strict != nil && len(result.Strict.Differences) == 0 {
			names = append(names, result.Name)
		}
	}
	return names
}

// writeStrict writes what is different with strict decisions, by difference.
func (r *Report) writeStrict(out io.Writer) error {
	var b strings.Builder
	title := "other logs with strict decisions; docs/ha-decisions.md describes the reasons:\n"
	for _, result := range r.Results {
		if result.Strict == nil {
			continue
		}
		tier := "another outcome"
		switch {
		case result.Strict.T1 && result.Strict.T2:
			tier = "other lines"
		case result.Strict.T2:
			tier = "another way"
		}
		reasons := "UNEXPLAINED"
		if len(result.Strict.Differences) > 0 {
			reasons = strings.Trim(fmt.Sprint(result.Strict.Differences), "[]")
		}
		fmt.Fprintf(&b, "%s  %s: %s: %s\n", title, result.Name, tier, reasons)
		title = ""
	}
	_, err := io.WriteString(out, b.String())
	return err
}
