package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

func TestCheckExpect(t *testing.T) {
	check := func(least fault.PPM, outcomes ...history.Event) linearizability.Validity {
		r := &scenarios.Run{Scenario: &scenarios.Scenario{Expect: scenarios.Expect{Succeeded: &least}}}
		for _, e := range outcomes {
			r.Events = append(r.Events, history.Event{Type: history.Invoke}, e)
		}
		return scenarios.CheckExpect(r).Validity
	}
	ok, fail, info := history.Event{Type: history.OK}, history.Event{Type: history.Fail},
		history.Event{Type: history.Info}
	stopped := history.Event{Type: history.Info, Error: "stopped"}
	require.Equal(t, linearizability.Valid, check(0))
	require.Equal(t, linearizability.Valid,
		scenarios.CheckExpect(&scenarios.Run{Scenario: &scenarios.Scenario{}}).Validity)
	require.Equal(t, linearizability.Valid, check(0, fail))
	require.Equal(t, linearizability.Unknown, check(1))
	require.Equal(t, linearizability.Unknown, check(1, stopped))
	require.Equal(t, linearizability.Valid, check(500_000, ok, fail))
	require.Equal(t, linearizability.Valid, check(fault.Always, ok, stopped))
	gaveUp := history.Event{Type: history.Info, Error: "timeout", F: workload.Watch}
	require.Equal(t, linearizability.Valid, check(fault.Always, ok, gaveUp))
	require.Equal(t, linearizability.Invalid, check(500_001, ok, info))
	require.Equal(t, linearizability.Invalid, check(1, fail))
}

// TestReadsAfterQuiescenceAreNotCounted: they are not calls of the workload.
func TestReadsAfterQuiescenceAreNotCounted(t *testing.T) {
	r := &scenarios.Run{Scenario: &scenarios.Scenario{Expect: scenarios.Expect{Succeeded: new(fault.Always)}},
		Events: []history.Event{{Type: history.Invoke}, {Type: history.OK},
			{Type: history.Invoke, Process: workload.FirstAuditor},
			{Type: history.Fail, Process: workload.FirstAuditor}}}
	require.Equal(t, linearizability.Valid, scenarios.CheckExpect(r).Validity)
}

// TestCheckProbes: a run that is made alone must reach every expected path.
func TestCheckProbes(t *testing.T) {
	r := &scenarios.Run{Scenario: &scenarios.Scenario{Expect: scenarios.Expect{Probes: []string{"a", "b"}}},
		Probes: map[string]int{"a": 2}}
	v := scenarios.CheckProbes(r)
	require.Equal(t, linearizability.Unknown, v.Validity)
	require.Contains(t, v.Summary, "reached 1 of 2 expected paths, not b")
	r.Probes["b"] = 1
	require.Equal(t, linearizability.Valid, scenarios.CheckProbes(r).Validity)
}
