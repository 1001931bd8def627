package storecheck_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/cpg"
	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/totem"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// inRing adds that machines have formed a ring.
func (s *story) inRing(id ring.ID, members []ring.NodeID, machines ...env.MachineID) *story {
	return s.add(totem.Membership{Kind: cpg.Regular, Ring: id, Members: members}, machines...)
}

// verdictOfLeaves is the verdict of the check of leaves on the story whose last record comes late.
func (s *story) verdictOfLeaves(t *testing.T, late time.Duration) linearizability.Verdict {
	t.Helper()
	check := storecheck.NewLeaves(three)
	for i, r := range s.records {
		if i == len(s.records)-1 {
			r.At += late
		}
		check.Observe(r)
	}
	return check.Judge(t.Context(), &storecheck.Evidence{Run: &scenarios.Run{Backend: "sim",
		Duration: time.Hour, Scenario: &scenarios.Scenario{Machines: three.Machines}}})
}

func TestALeaveIsNoticedAtOnce(t *testing.T) {
	leaving := func() *story {
		return (&story{}).inRing(first, everybody, 0, 1, 2).
			add(store.Left{Ring: first, Members: everybody, WasWritable: true}, 2)
	}
	others := []ring.NodeID{1, 2}
	v := leaving().inRing(second, others, 0, 1).verdictOfLeaves(t, 100*time.Millisecond)
	require.Equal(t, valid, v.Validity, v.Summary)
	require.Contains(t, v.Summary, "1 were noticed")
	v = leaving().inRing(second, others, 0, 1).verdictOfLeaves(t, 3*time.Second)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, storecheck.MissedLeave, v.Violations[0].Kind)
	v = leaving().inRing(second, others, 0).verdictOfLeaves(t, 0)
	require.Equal(t, invalid, v.Validity, "one of the others never noticed")
	v = leaving().inRing(second, others, 0).add(scenarios.Power{}, 1).verdictOfLeaves(t, 0)
	require.Equal(t, valid, v.Validity, "the other one lost its power as well")
}

func TestNothingIsAnsweredAfterALeave(t *testing.T) {
	v := begun().add(store.Left{Ring: first, Members: everybody}, 1).acknowledge(first, 2, 1).
		verdictOfLeaves(t, 0)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, storecheck.AnswerAfterLeave, v.Violations[0].Kind)
	v = begun().add(store.Left{Ring: first, Members: everybody}, 1).
		answer(first, 2, string(store.CodeTryAgain), 1).install(second, everybody, 2, 1).
		acknowledge(second, 2, 1).verdictOfLeaves(t, 0)
	require.NotContains(t, v.Summary, "answers", "it came back")
}
