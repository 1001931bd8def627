package manager

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// TestEveryCommandIsDecidedOnce compares the decision on each line with the state that it meets.
func TestEveryCommandIsDecidedOnce(t *testing.T) {
	apart := "resource-affinity: rr\n\taffinity negative\n\tresources vm:1,vm:2\n"
	for _, c := range []struct {
		line    string
		disarm  *ha.Disarm
		refused ha.Refusal
		verb    ha.CommandVerb
	}{
		{"migrate vm:1 c", nil, "", ha.CommandMigrate},
		{"relocate vm:1 c", nil, "", ha.CommandRelocate},
		{"migrate vm:9 c", nil, ha.RefusedUnknownService, ha.CommandMigrate},
		{"migrate vm:1 z", nil, ha.RefusedNodeNotOnline, ha.CommandMigrate},
		{"migrate vm:1 a", nil, ha.RefusedAlreadyOnNode, ha.CommandMigrate},
		{"migrate vm:1 b", nil, ha.RefusedKeptApart, ha.CommandMigrate},
		{"stop vm:1 20", nil, "", ha.CommandStop},
		{"stop vm:9 20", nil, ha.RefusedUnknownService, ha.CommandStop},
		{"enable-node-maintenance c", nil, "", ha.CommandEnableMaintenance},
		{"enable-node-maintenance z", nil, ha.RefusedNodeNotOnline, ha.CommandEnableMaintenance},
		{"enable-node-maintenance c", &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming},
			ha.RefusedDisarmed, ha.CommandEnableMaintenance},
		{"disable-node-maintenance c", nil, "", ha.CommandDisableMaintenance},
		{"disarm-ha freeze", nil, "", ha.CommandDisarm},
		{"disarm-ha freeze", &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming},
			ha.RefusedAlreadyDisarmed, ha.CommandDisarm},
		{"arm-ha", &ha.Disarm{Mode: ha.DisarmFreeze, State: ha.DisarmDisarming}, "", ha.CommandArm},
		{"arm-ha", nil, ha.RefusedNotDisarmed, ha.CommandArm},
		{"dance vm:1", nil, ha.RefusedUnreadable, ""},
	} {
		b := newBench("a", "b", "c")
		b.add("vm:1", "a", ha.WantStarted)
		b.add("vm:2", "b", ha.WantStarted)
		b.rules = apart
		master(t, b)
		b.manager.Disarm = c.disarm
		b.queue = []string{c.line}
		NewCRM(b).Round() // reads the status
		require.Len(t, b.decisions, 1, c.line)
		require.Equal(t, c.refused, b.decisions[0].Refused, c.line)
		require.Equal(t, c.verb, b.decisions[0].Command.Verb, c.line)
		require.Equal(t, c.line, b.decisions[0].Command.Line)
	}
}
