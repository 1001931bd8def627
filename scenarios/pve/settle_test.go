package pve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/sim"
)

// TestAPairCutChangesNoRing: while one pair is cut, the machines that still hear each other keep the ring
// that they have after the settling time, whatever the excluded machine does: it is reset, starts and looks
// for a ring.
func TestAPairCutChangesNoRing(t *testing.T) {
	s, subject := load(t, "ha-pair-cut")
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	cut := s.Faults[0]
	begin, end := s.Warmup+cut.At, s.Warmup+cut.At+cut.For
	bound := totem.SettleBound(totem.DefaultTimers(3650*time.Millisecond), 3, 10*time.Millisecond)
	settled, excluded, starts := 0, 0, 0
	for _, r := range run.Records {
		if r.At < begin || r.At >= end {
			continue
		}
		switch rec := r.Record.(type) {
		case totem.Membership:
			if r.Machine != 2 && rec.Kind == cpg.Regular {
				require.Less(t, r.At, begin+bound, "machine %d: %v", r.Machine, rec)
				settled++
			}
		case totem.Excluded:
			require.EqualValues(t, 2, r.Machine)
			excluded++
		case totem.Started:
			require.EqualValues(t, 2, r.Machine, "no other machine was reset")
			starts++
		}
	}
	require.Equal(t, 2, settled, "one ring on each of the two machines")
	require.Equal(t, 1, starts)
	require.Equal(t, 2, excluded, "before the reset and after it")
}

// TestARelayedPairChangesNoRing: while one pair is cut and relays are used, no machine changes its ring, both
// ends record the route, and send directly again afterwards.
func TestARelayedPairChangesNoRing(t *testing.T) {
	s, subject := load(t, "ha-pair-relayed")
	run, err := sim.Runner{}.Run(t.Context(), s, subject, scenarios.RunOptions{Seed: 1})
	require.NoError(t, err)
	begin, end := s.Warmup+s.Faults[0].At, s.Warmup+s.Faults[1].At
	var routes []totem.RouteChange
	for _, r := range run.Records {
		if r.At < begin || r.At >= end {
			continue
		}
		switch rec := r.Record.(type) {
		case totem.Membership, totem.Excluded, totem.Started:
			t.Fatalf("at %v on machine %d: %v", r.At, r.Machine, rec)
		case totem.RouteChange:
			routes = append(routes, rec)
		}
	}
	require.Len(t, routes, 4)
	require.ElementsMatch(t, []totem.RouteChange{{Node: 1, To: 3, Via: 2}, {Node: 3, To: 1, Via: 2}},
		routes[:2])
	require.ElementsMatch(t, []totem.RouteChange{{Node: 1, To: 3}, {Node: 3, To: 1}}, routes[2:])
}
