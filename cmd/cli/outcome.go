package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/reports/campaign"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// outcome is how one run of a plan ended.
type outcome struct {
	job  *job
	line runLine
	// run is the run itself; nil when a worker process has made it.
	run  *scenarios.Run
	took time.Duration
	// strategy is how the scenario was changed; "" for the scenario as it is written.
	strategy string
	// err is why the run could not be made; of line only scenario, seed and command are set then.
	err error
}

// runLine is one line of --json, which workers print as well.
type runLine struct {
	reports.Summary
	// Outcome is valid when the run ended as its scenario expects.
	Outcome linearizability.Validity `json:"outcome"`
	// Dir and Page are the run's folder and page, where they were written.
	Dir  string `json:"dir,omitempty"`
	Page string `json:"page,omitempty"`
}

// failedOutcome is the outcome of a run that could not be made.
func (p *plan) failedOutcome(j *job, seed uint64, err error) *outcome {
	summary := reports.Summary{Scenario: j.scenario.Name, Seed: seed, Expected: j.scenario.Expect.Verdict,
		Reproduce: p.reproduceCommand(j, seed)}
	return &outcome{job: j, err: err, line: runLine{Outcome: linearizability.Unknown, Summary: summary}}
}

// title names the run.
func (o *outcome) title() string {
	if o.strategy != "" {
		return fmt.Sprintf("%s, strategy %s, seed %d", o.line.Scenario, o.strategy, o.line.Seed)
	}
	return fmt.Sprintf("%s, seed %d", o.line.Scenario, o.line.Seed)
}

// campaign is the outcome as a campaign keeps it.
func (o *outcome) campaign() campaign.Outcome {
	c := campaign.Of(o.line.Summary, o.took)
	c.Folder, c.File, c.Strategy = o.line.Dir, o.job.source.OwnFile(), o.strategy
	if o.err != nil {
		c.Problem = problemText(o.err)
		c.Problem = strings.ToValidUTF8(c.Problem[:min(len(c.Problem), maxProblemBytes)], "")
	}
	if !c.Failed() {
		c.Checks = nil // which check found nothing is not asked about expected runs
	}
	return c
}

// expectationMet is valid when a run ended as its scenario expects. An unknown verdict stays unknown, even
// when it was expected: nothing was shown.
func expectationMet(run *scenarios.Run) linearizability.Validity {
	v := run.Verdict()
	switch {
	case v == linearizability.Unknown:
		return v
	case v.String() == run.Scenario.Expect.Verdict:
		return linearizability.Valid
	}
	return linearizability.Invalid
}
