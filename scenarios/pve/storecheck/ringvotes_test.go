package storecheck_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/node"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// verdictOfVotes is the verdict of the check of votequorum's decisions on a story of a minute.
func (s *story) verdictOfVotes(t *testing.T, applied ...scenarios.Applied) linearizability.Verdict {
	t.Helper()
	suite := storecheck.With(three, storecheck.NewRingVotes(three))
	for _, r := range s.records {
		suite.Observe(r)
	}
	return suite.Check(t.Context(), &scenarios.Run{Backend: "sim", Duration: time.Minute, Applied: applied,
		Scenario: &scenarios.Scenario{Machines: three.Machines}})[0]
}

// TestEveryLastingRingIsDecided: a ring without a decision counts if it lasts and no fault slows it down.
func TestEveryLastingRingIsDecided(t *testing.T) {
	all := node.QuorumView{Ring: first, Members: everybody, Quorate: true, Votes: 3, Expected: 3, Quorum: 2}
	formed := func() *story { return (&story{}).inRing(first, everybody, 0, 1).add(all, 0) }
	require.Equal(t, valid, formed().add(all, 1).verdictOfVotes(t).Validity)
	v := formed().verdictOfVotes(t)
	require.Equal(t, invalid, v.Validity)
	require.Equal(t, storecheck.UndecidedRing, v.Violations[0].Kind)
	require.Contains(t, v.Violations[0].Explain, "n2 installed ring")
	next := all
	next.Ring = second
	v = formed().inRing(second, everybody, 1).add(next, 1).verdictOfVotes(t)
	require.Equal(t, valid, v.Validity, "the undecided ring lasted a millisecond")
	pause := fault.Fault{Kind: fault.Pause, Machines: []string{"n2"}}
	v = formed().verdictOfVotes(t, scenarios.Applied{Fault: pause,
		Begun: [2]time.Duration{1, 1}, Ended: [2]time.Duration{time.Second, time.Second}})
	require.Equal(t, valid, v.Validity, "its process was paused")
}

// TestDecisionsFollowTheVotes: by the members' votes, a majority of the expected ones.
func TestDecisionsFollowTheVotes(t *testing.T) {
	one, two := []ring.NodeID{1}, []ring.NodeID{1, 2} // the members of the ring, if there are no fewer
	for _, c := range []struct {
		view node.QuorumView
		want linearizability.Validity
	}{
		{node.QuorumView{Members: two, Quorate: true, Votes: 2, Expected: 3}, valid},
		{node.QuorumView{Members: one, Votes: 1, Expected: 3}, valid},
		{node.QuorumView{Members: one, Quorate: true, Votes: 1, Expected: 3}, invalid},
		{node.QuorumView{Members: two, Votes: 2, Expected: 3}, invalid},
		{node.QuorumView{Members: two, Quorate: true, Votes: 3, Expected: 3}, invalid},
		{node.QuorumView{Members: two, Quorate: true, Votes: 2, Expected: 2}, invalid},
		{node.QuorumView{Members: everybody, Quorate: true, Votes: 3, Expected: 3}, invalid},
	} {
		c.view.Ring = first
		formed := (&story{}).inRing(first, c.view.Members[:min(len(two), len(c.view.Members))], 0)
		v := formed.add(c.view, 0).verdictOfVotes(t)
		require.Equal(t, c.want, v.Validity, "%+v", c.view)
		if c.want == invalid {
			require.Equal(t, storecheck.WrongQuorum, v.Violations[0].Kind)
		}
	}
}

// TestDesignHoldsTheBounds: DESIGN.md gives the bounds as the code has them.
func TestDesignHoldsTheBounds(t *testing.T) {
	text, err := os.ReadFile("../DESIGN.md")
	require.NoError(t, err)
	for name, value := range storecheck.Bounds {
		require.Contains(t, string(text), fmt.Sprintf("| `%s` | %v |", name, value))
	}
}
