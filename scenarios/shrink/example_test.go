package shrink_test

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/shrink"
)

// breaksUnderKills stands for a runner: it fails when a process of n2 is killed.
type breaksUnderKills struct{}

func (breaksUnderKills) Try(_ context.Context, a shrink.Attempt) (shrink.Result, error) {
	for _, f := range a.Scenario.Faults {
		if f.Kind == fault.Kill && len(f.Machines) > 0 && f.Machines[0] == "n2" {
			return shrink.Result{Failed: true, Seed: a.Seeds[0], Faults: len(a.Scenario.Faults)}, nil
		}
	}
	return shrink.Result{}, nil
}

func ExampleShrink() {
	s := &scenarios.Scenario{Name: "busy-night", Story: "Much at once.", Machines: scenarios.Count(3),
		Duration: time.Minute, Subject: scenarios.SubjectSpec{Kind: "notes"}, Faults: []fault.Fault{
			{Kind: fault.Pause, At: 10 * time.Second, For: 4 * time.Second, Machines: []string{"n1"}},
			{Kind: fault.Kill, At: 21 * time.Second, For: 4 * time.Second, Machines: []string{"n2"}},
		}}
	s.SetDefaults()
	small, err := shrink.Shrink(context.Background(), breaksUnderKills{}, s,
		shrink.Options{Seed: 42, Property: "register"})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := small.Scenario.Faults[0]
	fmt.Printf("%d fault, %d operation: %s of %v at %v for %v\n", small.Faults,
		small.Scenario.Workload.Operations, f.Kind, f.Machines, f.At, f.For)
	// Output: 1 fault, 1 operation: kill of [n2] at 1s for 1s
}
