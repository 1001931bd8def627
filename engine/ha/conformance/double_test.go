package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A double run counts unless the expected log has it: the log of another manager can contain some.
func TestOnlyNewDoubleRunsCount(t *testing.T) {
	known := DoubleRun{SID: "vm:1", Nodes: [2]string{"a", "b"}, Seconds: 20}
	turned := DoubleRun{SID: "vm:1", Nodes: [2]string{"b", "a"}, Seconds: 30}
	other := DoubleRun{SID: "vm:2", Nodes: [2]string{"a", "b"}, Seconds: 20}
	require.Empty(t, newDoubleRuns([]DoubleRun{known}, []DoubleRun{known, turned}))
	require.Equal(t, []DoubleRun{other}, newDoubleRuns([]DoubleRun{known}, []DoubleRun{known, other}))
	require.Equal(t, []DoubleRun{known}, newDoubleRuns(nil, []DoubleRun{known}))
	require.Len(t, compareOutcomes(Outcome{}, Outcome{Double: []DoubleRun{known}}), 1)
}
