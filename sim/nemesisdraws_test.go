package sim

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// TestTheListsOfANemesis: nemesisDraws has every list, and counts its draws.
func TestTheListsOfANemesis(t *testing.T) {
	s := &scenarios.Scenario{Machines: scenarios.Count(3), Warmup: 10 * time.Second,
		Duration: 100 * time.Second,
		Nemesis: &scenarios.Nemesis{Kinds: fault.Kinds(), Every: 2 * time.Second, ForMin: time.Second,
			ForMax: 3 * time.Second, AtOnce: 2, Roles: []string{scenarios.RoleServing}, DiskCalls: 5}}
	drawn := map[string]*draw.List{}
	scenarios.Expand(s, nil, func(stream, label string) draw.Chooser {
		require.Equal(t, scenarios.NemesisStream, stream)
		if drawn[label] == nil {
			drawn[label] = draw.NewList(1, stream, label)
		}
		return drawn[label]
	})
	var labels []string
	for _, d := range nemesisDraws(s, s.Warmup+s.Duration) {
		require.Equal(t, drawn[d.label].Drawn(), d.index, d.label)
		labels = append(labels, d.label)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(drawn)), labels)
	for _, d := range nemesisDraws(s, 5*time.Second) {
		require.Zero(t, d.index, "no fault begins in the warm-up")
	}
}
