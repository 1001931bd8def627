package storecheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
)

// applyAs adds that a machine has a revision with a chain on its disk.
func (s *story) applyAs(rev uint64, chain string, m env.MachineID) *story {
	return s.add(store.Applied{Epoch: first, Revision: rev, Op: "write", Path: "a", Chain: chain}, m)
}

// copyTo adds that a machine installs a full copy with one change, or with none for revision 0.
func (s *story) copyTo(m env.MachineID, rev uint64, chain string) *story {
	r := store.Installed{Epoch: second, Members: everybody, Source: 2, Revision: rev, How: "full"}
	if rev > 0 {
		r.Received = []store.Applied{{Epoch: first, Revision: rev, Chain: chain}}
	}
	return s.add(r, m)
}

// verdictOfLosses is the verdict of the check of losses on the story.
func (s *story) verdictOfLosses(t *testing.T, incomplete bool) linearizability.Verdict {
	t.Helper()
	check := storecheck.NewLosses(three)
	for _, r := range s.records {
		check.Observe(r)
	}
	return check.Judge(t.Context(), &storecheck.Evidence{Run: &scenarios.Run{}, Incomplete: incomplete})
}

func TestALossIsNeverSilent(t *testing.T) {
	witness := func() *story { // revision 1 is acknowledged, and revision 2 follows it on the disk
		return (&story{}).applyAs(1, "a", 0).acknowledge(first, 1, 0).applyAs(2, "b", 0)
	}
	report := func(from, confirmed uint64) store.Dropped {
		return store.Dropped{From: from, To: 2, Confirmed: confirmed, Epoch: second}
	}
	for name, c := range map[string]struct {
		s        *story
		validity linearizability.Validity
	}{
		"nothing is reported":            {witness().copyTo(0, 0, ""), invalid},
		"another change is in its place": {witness().copyTo(0, 1, "c"), invalid},
		"it is in the copy":              {witness().copyTo(0, 1, "a"), valid},
		"it is reported":                 {witness().add(report(1, 1), 0).copyTo(0, 0, ""), valid},
		"another one is reported":        {witness().add(report(2, 1), 0).copyTo(0, 0, ""), invalid},
		"another machine reports it":     {witness().add(report(1, 1), 1).copyTo(0, 0, ""), invalid},
		"it goes on from what it has": {witness().add(store.Installed{Epoch: second, Revision: 0,
			How: "same"}, 0), valid},
		"it acknowledges a change that it caught up on": {(&story{}).add(store.Installed{Epoch: first,
			Revision: 1, How: "delta",
			Received: []store.Applied{{Epoch: first, Revision: 1, Chain: "a"}}}, 0).
			acknowledge(first, 1, 0).applyAs(2, "b", 0).copyTo(0, 1, "a"), valid},
		"after a restart":           {witness().add(store.Opened{Revision: 2}, 0).copyTo(0, 0, ""), invalid},
		"its disk has forgotten it": {witness().add(store.Opened{Revision: 0}, 0).copyTo(0, 0, ""), valid},
		"it may not know that others confirmed it": {(&story{}).applyAs(1, "a", 0).acknowledge(first, 1, 0).
			add(store.Opened{Revision: 1}, 0).copyTo(0, 0, ""), valid},
		"it has another identity": {witness().add(store.WentBack{}, 0).copyTo(0, 0, ""), valid},
		"it acknowledged nothing": {(&story{}).applyAs(1, "a", 0).applyAs(2, "b", 0).copyTo(0, 0, ""), valid},
	} {
		v := c.s.verdictOfLosses(t, false)
		require.Equal(t, c.validity, v.Validity, "%s: %s", name, v.Summary)
		if v.Validity == invalid {
			require.Equal(t, storecheck.SilentLoss, v.Violations[0].Kind)
			require.Equal(t, []uint64{1}, v.Violations[0].Revisions)
		}
	}
	v := witness().copyTo(0, 0, "").verdictOfLosses(t, true)
	require.Equal(t, valid, v.Validity, "records may be missing")
	require.Contains(t, v.Summary, "not judged")
}
