package storecheck_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve/storecheck"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// atOnce adds a record of the first machine at the instant of the last one.
func (s *story) atOnce(r env.Record) *story {
	last := s.records[len(s.records)-1].At
	s.add(r, 0)
	s.records[len(s.records)-1].At = last
	return s
}

// next adds that the first machine has a change, with a chain that its revision names.
func (s *story) next(rev uint64, op, path, to string) *story {
	return s.add(store.Applied{Epoch: first, Revision: rev, Op: op, Path: path, To: to,
		Chain: fmt.Sprint("c", rev)}, 0)
}

// copied adds that the first machine takes the state of another one, with what it received.
func (s *story) copied(how string, received ...store.Applied) *story {
	last := received[len(received)-1]
	return s.add(store.Installed{Epoch: second, Members: everybody, Source: 2, Revision: last.Revision,
		Chain: last.Chain, How: how, Received: received}, 0)
}

// came is a change that was received.
func came(rev uint64, path, chain string) store.Applied {
	return store.Applied{Epoch: second, Revision: rev, Op: "write", Path: path, Chain: chain}
}

func waits(path string, since, revision uint64) store.Watching {
	return store.Watching{Request: "c0-1", Path: path, Since: since, Revision: revision}
}

func watched(path string, since uint64, changed bool, revision uint64, chain string) store.WatchAnswered {
	return store.WatchAnswered{Request: "c0-1", Path: path, Since: since, Changed: changed,
		Revision: revision,
		Chain:    chain, Epoch: first}
}

// verdictOfWatches is the verdict of the check of watches on the story and on the client's events.
func (s *story) verdictOfWatches(t *testing.T, incomplete bool,
	events ...history.Event) linearizability.Verdict {
	t.Helper()
	check := storecheck.NewWatches(three)
	for _, r := range s.records {
		check.Observe(r)
	}
	return check.Judge(t.Context(), &storecheck.Evidence{Run: &scenarios.Run{Events: events},
		Incomplete: incomplete})
}

// two is a machine with the changes 1, of d/a, and 2, of b.
func two() *story {
	return (&story{}).add(store.Opened{}, 0).next(1, "write", "d/a", "").next(2, "write", "b", "")
}

func TestWatchesMissNothing(t *testing.T) {
	for name, c := range map[string]struct {
		s    *story
		kind linearizability.Kind // "" if nothing is wrong
	}{
		"nothing changed": {two().add(waits("d/a", 1, 2), 0).add(watched("d/a", 1, false, 2, "c2"), 0), ""},
		"the path has changed": {two().add(watched("b", 1, false, 2, "c2"), 0),
			storecheck.MissedChange},
		"something below has changed": {two().add(watched("d", 0, false, 2, "c2"), 0),
			storecheck.MissedChange},
		"a directory above has changed": {two().next(3, "delete", "d",
			"").add(watched("d/a", 2, false, 3, "c3"), 0),
			storecheck.MissedChange},
		"it was renamed away": {two().next(3, "rename", "d/a", "x").add(watched("d/a", 2, false, 3, "c3"), 0),
			storecheck.MissedChange},
		"another one got its name": {two().next(3, "rename", "b", "x").add(watched("x", 2, false, 3, "c3"),
			0),
			storecheck.MissedChange},
		"a path that begins alike": {two().next(3, "write", "d/ab", "").add(watched("d/a", 2, false, 3, "c3"),
			0), ""},
		"waits behind a change": {two().add(waits("b", 1, 2), 0), storecheck.MissedChange},
		"waits for what the machine lacks": {two().add(waits("b", 3, 2), 0),
			storecheck.MissedChange},
		"answered at once": {two().add(watched("b", 1, true, 2, "c2"), 0), ""},
		"without a cause":  {two().add(watched("d/a", 1, true, 2, "c2"), 0), storecheck.NeedlessWakeup},
		"at the revision that the client knows": {two().add(watched("b", 2, true, 2, "c2"), 0),
			storecheck.NeedlessWakeup},
		"the client knows more than the machine": {two().add(watched("b", 3, true, 2, "c2"), 0), ""},
		"at an earlier revision": {two().next(3, "write", "b", "").add(watched("b", 1, true, 2, "c2"), 0),
			storecheck.WrongWatchRevision},
		"at a revision that is not on the disk": {two().add(watched("b", 1, true, 3, "c3"), 0),
			storecheck.WrongWatchRevision},
		"with another chain": {two().add(watched("b", 1, true, 2, "x"), 0), storecheck.WrongWatchRevision},
		"after a restart": {two().add(store.Opened{Revision: 2, Chain: "c2"}, 0).next(1, "write", "d/a", "").
			next(2, "write", "b", "").add(watched("b", 1, true, 2, "c2"), 0), ""},
		"the disk has lost the change": {two().add(store.Opened{Revision: 1, Chain: "c1"}, 0).
			next(1, "write", "d/a", "").add(watched("b", 1, false, 1, "c1"), 0), ""},
	} {
		v := c.s.verdictOfWatches(t, false)
		requireKind(t, name, c.kind, v)
	}
}

// TestAShortLogExplainsAWakeup: a store that has forgotten the revision of a watch cannot know what has
// changed.
func TestAShortLogExplainsAWakeup(t *testing.T) {
	for keep, kind := range map[uint64]linearizability.Kind{1: "", 2: storecheck.NeedlessWakeup} {
		short := three
		short.LogKeep = keep
		check := storecheck.NewWatches(short)
		for _, r := range two().add(watched("d/a", 1, true, 2, "c2"), 0).records {
			check.Observe(r)
		}
		v := check.Judge(t.Context(), &storecheck.Evidence{Run: &scenarios.Run{}})
		requireKind(t, "", kind, v)
	}
}

// requireKind requires a violation of a kind; none for "".
func requireKind(t *testing.T, name string, kind linearizability.Kind, v linearizability.Verdict) {
	t.Helper()
	if kind == "" {
		require.Equal(t, valid, v.Validity, "%s: %v", name, v.Violations)
		return
	}
	require.Equal(t, invalid, v.Validity, name)
	require.Equal(t, kind, v.Violations[0].Kind, "%s: %s", name, v.Violations[0].Explain)
}

func TestWaitingWatchesAreWoken(t *testing.T) {
	waiting := func(path string) *story { return two().add(waits(path, 2, 2), 0) }
	fromTwo := []store.Applied{came(1, "d/a", "c1"), came(2, "b", "c2"), came(3, "d/a", "c3")}
	another := []store.Applied{came(1, "d/a", "c1"), came(2, "e", "x2")}
	for name, c := range map[string]struct {
		s    *story
		kind linearizability.Kind
	}{
		"at the commit": {waiting("b").next(3, "write", "b", "").atOnce(watched("b", 2, true, 3, "c3")), ""},
		"later": {waiting("b").next(3, "write", "b", "").add(watched("b", 2, true, 3, "c3"), 0),
			storecheck.LostWakeup},
		"never":               {waiting("b").next(3, "write", "b", ""), storecheck.LostWakeup},
		"nothing concerns it": {waiting("b").next(3, "write", "d/a", ""), ""},
		"it was renamed away": {waiting("b").next(3, "rename", "b", "c"), storecheck.LostWakeup},
		"its process has ended": {waiting("b").add(store.Opened{Revision: 2}, 0).next(3,
			"write", "b", ""), ""},
		"its store has failed": {waiting("b").add(store.Failed{}, 0).next(3, "write", "b", ""), ""},
		"with the state of an epoch": {waiting("d").copied("delta", came(3, "d/a", "c3")),
			storecheck.LostWakeup},
		"with all of a state":         {waiting("d").copied("full", fromTwo...), storecheck.LostWakeup},
		"a state that is the same":    {waiting("e").copied("full", fromTwo...), ""},
		"what it watches is undone":   {waiting("b").copied("full", another...), storecheck.LostWakeup},
		"another branch changed it":   {waiting("e").copied("full", another...), storecheck.LostWakeup},
		"another branch, another one": {waiting("f").copied("full", another...), ""},
		"woken for an epoch": {waiting("d/a").copied("full", another...).
			atOnce(watched("d/a", 2, true, 2, "x2")), ""},
	} {
		requireKind(t, name, c.kind, c.s.verdictOfWatches(t, false))
		if c.kind == storecheck.LostWakeup {
			require.Equal(t, valid, c.s.verdictOfWatches(t, true).Validity, "%s: records may be missing",
				name)
		}
	}
}

// TestARevisionThatIsGivenAgain: the client names the chain at the revision that it knows. A machine that has
// another change there by now must say so at once.
func TestARevisionThatIsGivenAgain(t *testing.T) {
	branch := func() *story {
		return two().copied("full", came(1, "d/a", "c1"), came(2, "e", "x2"))
	}
	known := func(w store.Watching, chain string) store.Watching { w.SinceChain = chain; return w }
	answered := func(a store.WatchAnswered, chain string) store.WatchAnswered {
		a.SinceChain = chain
		return a
	}
	requireKind(t, "waits", storecheck.MissedChange,
		branch().add(known(waits("b", 2, 2), "c2"), 0).verdictOfWatches(t, false))
	requireKind(t, "is told", "",
		branch().add(answered(watched("b", 2, true, 2, "x2"), "c2"), 0).verdictOfWatches(t, false))
	requireKind(t, "is on this branch", "",
		branch().add(known(waits("b", 2, 2), "x2"), 0).verdictOfWatches(t, false))
}

func TestAClientGetsTheAnswerToItsWatch(t *testing.T) {
	call := history.Event{Type: history.Invoke, Time: 1, F: workload.Watch, Key: "b", ID: "c0-1", Node: "n1"}
	answer := func(text string) []history.Event {
		ok := call
		ok.Type, ok.Time, ok.Value = history.OK, int64(time.Second), []byte(text)
		return []history.Event{call, ok}
	}
	gaveUp := func(after time.Duration) []history.Event {
		end := call
		end.Type, end.Time, end.Error = history.Info, int64(after), workload.ErrTimeout.Error()
		return []history.Event{call, end}
	}
	s := two().add(watched("b", 1, true, 2, "c2"), 0)
	requireKind(t, "the same", "", s.verdictOfWatches(t, false,
		answer(`{"since":1,"changed":true,"revision":2}`)...))
	for _, other := range []string{`{"since":1,"changed":false,"revision":2}`,
		`{"since":1,"changed":true,"revision":3}`,
		`{"since":1}`} {
		requireKind(t, other, storecheck.WrongWatchAnswer, s.verdictOfWatches(t, false, answer(other)...))
	}
	requireKind(t, "gave up at that time", "", s.verdictOfWatches(t, false, gaveUp(time.Second)...))
	requireKind(t, "lost", storecheck.WrongWatchAnswer, s.verdictOfWatches(t, false,
		gaveUp(2*time.Second)...))
	requireKind(t, "on real nodes", "", s.verdictOfWatches(t, true, gaveUp(2*time.Second)...))
	v := two().add(waits("b", 2, 2), 0).next(3, "write", "b", "").atOnce(watched("b", 2, true, 3, "c3")).
		verdictOfWatches(t, false)
	require.Equal(t, "none of 1 answers to watches missed a change; 1 reported one, 1 of them after a wait",
		v.Summary)
	require.Equal(t, "no client watched", two().verdictOfWatches(t, false).Summary)
}

// TestWatchesAreJudgedWhereClientsWatch keeps the check out of runs without watches.
func TestWatchesAreJudgedWhereClientsWatch(t *testing.T) {
	names := func(c storecheck.Cluster) (list []string) {
		run := &scenarios.Run{Backend: "sim", Scenario: &scenarios.Scenario{Machines: three.Machines}}
		for _, v := range storecheck.New(c).Check(t.Context(), run) {
			list = append(list, v.Checker)
		}
		return list
	}
	watching := three
	watching.Watches = true
	require.NotContains(t, names(three), "watches")
	require.Contains(t, names(watching), "watches")
}
