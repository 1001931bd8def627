package shrink

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// InProcess tries scenarios in this process, one after the other.
type InProcess struct {
	Runner scenarios.Runner
	// Subject makes the subject of a scenario.
	Subject func(*scenarios.Scenario) (scenarios.Subject, error)
}

// runLimit is how much real time one run of an attempt may take. A smaller scenario is not slower, unless it
// fails in another way.
const runLimit = 30 * time.Second

// Try implements Trier.
func (t InProcess) Try(ctx context.Context, a Attempt) (Result, error) {
	data, err := scenarios.Marshal(a.Scenario)
	if err != nil {
		return Result{}, nil
	}
	s, err := scenarios.ParseScenario(a.Scenario.Subject.File(), data)
	if err != nil {
		return Result{}, nil // nothing that a file could say
	}
	subject, err := t.Subject(s)
	if err != nil {
		return Result{}, nil
	}
	for _, seed := range a.Seeds {
		limited, cancel := context.WithTimeout(ctx, runLimit)
		run, err := t.Runner.Run(limited, s, subject, scenarios.RunOptions{Seed: seed,
			Overrides: a.Overrides})
		cancel()
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			return Result{}, nil
		}
		if v := Violation(run, a.Property); v != nil {
			return resultOf(run, v), nil
		}
	}
	return Result{}, nil
}

// Violation returns the verdict of a check that found a violation in a run, nil if it found none. "" stands
// for the first check that did.
func Violation(run *scenarios.Run, property string) *linearizability.Verdict {
	for i := range run.Verdicts {
		v := &run.Verdicts[i]
		if v.Validity == linearizability.Invalid && (property == "" || v.Checker == property) {
			return v
		}
	}
	return nil
}

func resultOf(run *scenarios.Run, v *linearizability.Verdict) Result {
	r := Result{Failed: true, Seed: run.Seed, Summary: v.Summary, Faults: len(run.Applied)}
	if run.Scenario.Nemesis == nil {
		r.Faults = len(run.Scenario.Faults) // one that follows a role was applied once for each place
	}
	for i := range run.Events {
		if e := &run.Events[i]; e.Type == history.Invoke && e.Process < workload.FirstActor {
			r.Operations++
		}
	}
	return r
}
