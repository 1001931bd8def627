package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

func TestCheckExpect(t *testing.T) {
	check := func(least fault.PPM, outcomes ...history.Event) linearizability.Validity {
		r := &scenarios.Run{Scenario: &scenarios.Scenario{Expect: scenarios.Expect{Succeeded: least}}}
		for _, e := range outcomes {
			r.Events = append(r.Events, history.Event{Type: history.Invoke}, e)
		}
		return scenarios.CheckExpect(r).Validity
	}
	ok, fail, info := history.Event{Type: history.OK}, history.Event{Type: history.Fail},
		history.Event{Type: history.Info}
	stopped := history.Event{Type: history.Info, Error: "stopped"}
	require.Equal(t, linearizability.Valid, check(0))
	require.Equal(t, linearizability.Valid, check(0, fail))
	require.Equal(t, linearizability.Unknown, check(1))
	require.Equal(t, linearizability.Unknown, check(1, stopped))
	require.Equal(t, linearizability.Valid, check(500_000, ok, fail))
	require.Equal(t, linearizability.Valid, check(fault.Always, ok, stopped))
	require.Equal(t, linearizability.Invalid, check(500_001, ok, info))
	require.Equal(t, linearizability.Invalid, check(1, fail))
}
