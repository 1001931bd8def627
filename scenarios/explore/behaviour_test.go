package explore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/explore"
)

type record string

func (r record) RecordKind() string { return string(r) }

func behaviourOf(machines []env.MachineID, kinds ...string) []uint32 {
	b := explore.NewBehaviour()
	for i, kind := range kinds {
		b.Record(scenarios.Stamped{Machine: machines[i], Record: record(kind)})
	}
	return b.All()
}

// TestBehaviour: what counts is which records follow each other, and whether on the same machine; neither
// which machine it is nor how often a record is repeated counts.
func TestBehaviour(t *testing.T) {
	same := []env.MachineID{1, 1, 1}
	a := behaviourOf(same, "joins", "leads", "ends")
	require.NotEmpty(t, a)
	require.Equal(t, a, behaviourOf([]env.MachineID{2, 2, 2}, "joins", "leads", "ends"))
	require.NotEqual(t, a, behaviourOf([]env.MachineID{1, 2, 1}, "joins", "leads", "ends"))
	require.NotEqual(t, a, behaviourOf(same, "leads", "joins", "ends"))
	require.Equal(t, a, behaviourOf([]env.MachineID{1, 1, 1, 1}, "joins", "leads", "leads", "ends"))

	b := explore.NewBehaviour()
	b.Probes(map[string]int{"recovery": 3, "merge": 1})
	c := explore.NewBehaviour()
	c.Probes(map[string]int{"recovery": 2, "merge": 1})
	require.Equal(t, b.All(), c.All(), "about as often")
	c.Probes(map[string]int{"recovery": 40})
	require.NotEqual(t, b.All(), c.All())
}
