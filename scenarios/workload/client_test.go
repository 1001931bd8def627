package workload

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// answers are what a machine may do with a call, and what the history must say of it.
var answers = []struct {
	name  string
	err   error
	bytes []byte
	want  history.Type
	error string
}{
	{name: "ok", bytes: mustJSON(Result{Type: history.OK, Value: JSON("v"), Rev: 3, Mod: 2}),
		want: history.OK},
	{name: "refused by the system", bytes: mustJSON(Failed("no leader")), want: history.Fail,
		error: "no leader"},
	{name: "cannot serve", bytes: mustJSON(Result{Type: history.Fail, Error: "no quorum", Elsewhere: true}),
		want: history.Fail, error: "no quorum"},
	{name: "unknown to the system", bytes: mustJSON(Unknown("maybe")), want: history.Info, error: "maybe"},
	{name: "connection refused", err: ErrRefused, want: history.Fail, error: "refused"},
	{name: "timeout", err: ErrTimeout, want: history.Info, error: "timeout"},
	{name: "reset", err: ErrReset, want: history.Info, error: "reset"},
	{name: "another error", err: errors.New("something else"), want: history.Info, error: "reset"},
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// TestClient holds a whole client to its rules, whatever its machines answer:
//
//   - it makes its share of the operations, each with one event before and one after;
//   - an outcome that it does not know closes its number in the history, and only that does;
//   - after such an outcome, and where a machine cannot serve, it goes to the next machine;
//   - it never has two calls open, and request ids are unique.
func TestClient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Clients: rapid.IntRange(1, 4).Draw(t, "clients"), Operations: rapid.IntRange(1,
			40).Draw(t, "operations"),
			Keys: 3, ValueBytes: 8, Pause: 100 * time.Millisecond, Timeout: time.Second}
		machines := []string{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "machines")]
		e := &scripted{t: t, end: time.Hour}
		var given []int // which of the answers each call got
		e.answer = func(int, Op) ([]byte, error) {
			given = append(given, rapid.IntRange(0, len(answers)-1).Draw(t, "answer"))
			a := answers[given[len(given)-1]]
			return a.bytes, a.err
		}
		e.took = func() time.Duration {
			return time.Duration(rapid.IntRange(0, 300).Draw(t,
				"took")) * time.Millisecond
		}
		c := &Client{Number: rapid.IntRange(0, spec.Clients-1).Draw(t, "number"), Machines: machines,
			Spec:  spec,
			Codec: jsonCodec{functions: weights(t)}, Env: e}
		require.NoError(t, c.Run())
		require.Len(t, given, spec.Calls(c.Number))
		require.Len(t, e.events, 2*len(given))
		requireRules(t, spec, c.Number, e.events, given)
	})
}

func requireRules(t *rapid.T, spec Spec, number int, events []history.Event, given []int) {
	process := number
	ids := map[string]bool{}
	for i, which := range given {
		call, end, a := events[2*i], events[2*i+1], answers[which]
		require.Equal(t, history.Invoke, call.Type)
		require.Equal(t, a.want, end.Type, a.name)
		require.Equal(t, a.error, end.Error, a.name)
		require.Equal(t, process, call.Process)
		require.Equal(t, process, end.Process)
		require.Equal(t, [...]string{call.F, call.Key, call.ID, call.Node}, [...]string{end.F, end.Key,
			end.ID, end.Node})
		require.False(t, ids[call.ID])
		ids[call.ID] = true
		if a.want == history.Info {
			process += spec.Clients
		}
	}
}

// TestClientGoesElsewhere: with roaming ruled out, the machine changes exactly where it must. A watch that
// was given up shows nothing against its machine.
func TestClientGoesElsewhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour, choices: map[string]chooser{"roam": never{}}}
		var machinesAsked, given []int
		var functions []string
		e.answer = func(machine int, op Op) ([]byte, error) {
			machinesAsked, functions = append(machinesAsked, machine), append(functions, op.F)
			given = append(given, rapid.IntRange(0, len(answers)-1).Draw(t, "answer"))
			a := answers[given[len(given)-1]]
			return a.bytes, a.err
		}
		c := &Client{Number: 1, Machines: []string{"a", "b", "c"}, Env: e,
			Codec: jsonCodec{functions: weights(t)},
			Spec:  Spec{Clients: 2, Operations: 30, Keys: 1, Timeout: time.Second}}
		require.NoError(t, c.Run())
		at := 1
		for i, which := range given {
			require.Equal(t, at, machinesAsked[i])
			a := answers[which]
			if functions[i] == Watch && a.name == "timeout" {
				continue
			}
			if a.want == history.Info || a.name == "cannot serve" || a.name == "connection refused" {
				at = (at + 1) % 3
			}
		}
	})
}

type chooser = interface{ Choose(uint64) uint64 }

type never struct{}

func (never) Choose(uint64) uint64 { return 0 }

// TestClientStops: the end of a run in the middle of a call leaves the call's outcome unknown, and
// in a pause leaves no call at all.
func TestClientStops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Duration(rapid.IntRange(1, 3000).Draw(t, "end")) * time.Millisecond}
		e.answer = func(int, Op) ([]byte, error) { return mustJSON(OK()), nil }
		e.took = func() time.Duration { return 70 * time.Millisecond }
		c := &Client{Machines: []string{"a"}, Env: e, Codec: jsonCodec{functions: weights(t)},
			Spec: Spec{Clients: 1, Operations: 1000, Keys: 1, Pause: 50 * time.Millisecond,
				Timeout: time.Second}}
		require.NoError(t, c.Run())
		require.Zero(t, len(e.events)%2, "every call has an end")
		for i, ev := range e.events {
			if ev.Type == history.Info {
				require.Equal(t, len(e.events)-1, i)
				require.Equal(t, "stopped", ev.Error)
			}
		}
		require.GreaterOrEqual(t, e.now, e.end, "there was more to do")
	})
}

// TestPausesHaveTheirMean: a client that was kept waiting makes up for it, so that the calls take as long
// as their pauses together and no longer.
func TestPausesHaveTheirMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour, choices: map[string]chooser{"pause": half{}}}
		e.answer = func(int, Op) ([]byte, error) { return mustJSON(OK()), nil }
		slow := rapid.IntRange(0, 9).Draw(t, "slow")
		calls := 0
		e.took = func() time.Duration {
			if calls++; calls-1 == slow {
				return 250 * time.Millisecond
			}
			return 0
		}
		c := &Client{Machines: []string{"a"}, Env: e, Codec: jsonCodec{functions: weights(t)},
			Spec: Spec{Clients: 1, Operations: 20, Keys: 1, Pause: 100 * time.Millisecond,
				Timeout: time.Second}}
		require.NoError(t, c.Run())
		require.Equal(t, 20*100*time.Millisecond, e.now)
	})
}

type half struct{}

func (half) Choose(n uint64) uint64 { return n / 2 }

// TestUnreadableAnswerIsAFinding: the run ends with an error that names the call.
func TestUnreadableAnswerIsAFinding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := &scripted{t: t, end: time.Hour}
		e.answer = func(int, Op) ([]byte, error) { return []byte("{"), nil }
		c := &Client{Number: 2, Machines: []string{"a", "b", "c"}, Env: e,
			Codec: jsonCodec{functions: []Weight{{F: Read, Weight: 1}}},
			Spec:  Spec{Clients: 3, Operations: 9, Keys: 1}}
		require.ErrorContains(t, c.Run(), "reading the answer of")
		require.Len(t, e.events, 2)
		require.Equal(t, "unreadable", e.events[1].Error)
		require.Equal(t, "c2-0", e.events[1].ID)
	})
}

func TestValuesOfOperations(t *testing.T) {
	require.JSONEq(t, `"new"`, string(opValue(Op{To: "new", Value: "x"})))
	require.JSONEq(t, `"a\"b"`, string(opValue(Op{Value: `a"b`})))
	require.Nil(t, opValue(Op{F: Read}))
	require.Equal(t, Result{Type: history.OK, Value: json.RawMessage(`"v"`)}, OKValue("v"))
}
