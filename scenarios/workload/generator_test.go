package workload

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// allFunctions are the operations that a generator fills in.
var allFunctions = []string{Read, ReadLocal, Write, CAS, Delete, Mkdir, Rename, List, Watch}

// drawn is a chooser whose values rapid draws.
type drawn struct {
	t     *rapid.T
	label string
}

func (d drawn) Choose(n uint64) uint64 { return rapid.Uint64Range(0, n-1).Draw(d.t, d.label) }

// scripted is a ClientEnv whose clock only moves when the client sleeps or waits, and whose answers a
// test gives.
type scripted struct {
	t       *rapid.T
	now     time.Duration
	end     time.Duration // Sleep and Do return ErrStopped from here on
	answer  func(machine int, op Op) ([]byte, error)
	took    func() time.Duration
	events  []history.Event
	choices map[string]chooser // instead of drawing
}

func (e *scripted) Now() time.Duration { return e.now }

func (e *scripted) Sleep(d time.Duration) error {
	e.now += max(d, 0)
	if e.now >= e.end {
		return ErrStopped
	}
	return nil
}

func (e *scripted) Do(machine int, process string, input []byte, timeout time.Duration) ([]byte, error) {
	require.Equal(e.t, "server", process)
	var op Op
	require.NoError(e.t, json.Unmarshal(input, &op))
	if e.took != nil {
		e.now += e.took()
	}
	if e.now >= e.end {
		return nil, ErrStopped
	}
	return e.answer(machine, op)
}

func (e *scripted) Choices(label string) draw.Chooser {
	if c := e.choices[label]; c != nil {
		return c
	}
	return drawn{e.t, label}
}

func (e *scripted) Append(ev history.Event) {
	ev.Index, ev.Time = int64(len(e.events)), int64(e.now)
	e.events = append(e.events, ev)
}

// jsonCodec sends operations as JSON and reads results the same way.
type jsonCodec struct{ functions []Weight }

func (c jsonCodec) Functions() []Weight { return c.functions }

func (jsonCodec) Encode(op Op) (string, []byte) {
	b, err := json.Marshal(op)
	if err != nil {
		panic(err)
	}
	return "server", b
}

func (jsonCodec) Decode(_ Op, output []byte) (Result, error) {
	var r Result
	err := json.Unmarshal(output, &r)
	return r, err
}

func (jsonCodec) Final() []Op { return nil }

func weights(t *rapid.T) []Weight {
	var all []Weight
	for _, f := range allFunctions {
		all = append(all, Weight{F: f, Weight: rapid.IntRange(0, 3).Draw(t, f)})
	}
	all[0].Weight++ // one of them at least
	return all
}

// TestGeneratedOperations holds every operation to what its function needs and to the spec's limits.
func TestGeneratedOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Keys: rapid.IntRange(1, 20).Draw(t, "keys"), ValueBytes: rapid.IntRange(1, 40).Draw(t,
			"bytes")}
		codec := jsonCodec{functions: weights(t)}
		if rapid.Bool().Draw(t, "mix") {
			spec.Mix = map[string]int{Write: 2, List: 1, Read: 0}
		}
		known := map[string]bool{}
		for i := range spec.Keys {
			known[KeyName(i)] = true
		}
		g := newGenerator(7, spec, codec, &scripted{t: t})
		values := map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			op := g.nextOp()
			require.Positive(t, g.weight(op.F), "%s has no weight", op.F)
			switch op.F {
			case Mkdir, List:
				require.False(t, known[op.Key], "%s is no directory", op.Key)
			case Watch:
				require.True(t, known[op.Key] || strings.HasPrefix(op.Key, "d"), "%s is no path of a key",
					op.Key)
			default:
				require.True(t, known[op.Key], op.Key)
			}
			require.Equal(t, op.F == Rename, op.To != "")
			require.Equal(t, op.F == Write || op.F == CAS, op.Value != "")
			if op.Value != "" {
				require.False(t, values[op.Value], "a value names one write")
				values[op.Value] = true
				require.GreaterOrEqual(t, len(op.Value), spec.ValueBytes)
				require.True(t, strings.HasPrefix(op.Value, fmt.Sprintf("c7.%d.", len(values))))
			}
		}
	})
}

// weight is the weight with which a function is drawn.
func (g *generator) weight(f string) int {
	for _, w := range g.weights {
		if w.F == f {
			return w.Weight
		}
	}
	return 0
}

// TestCompareAndSetExpectsTheRevisionLastSeen follows one key through reads, writes and refusals.
func TestCompareAndSetExpectsTheRevisionLastSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{Keys: 1, ValueBytes: 1, Mix: map[string]int{CAS: 1}}
		g := newGenerator(0, spec, jsonCodec{functions: []Weight{{F: CAS}}}, &scripted{t: t})
		var want uint64
		for range 20 {
			op := g.nextOp()
			require.Equal(t, want, op.Expect)
			mod := rapid.Uint64Range(0, 5).Draw(t, "mod")
			kind := rapid.SampledFrom([]history.Type{history.OK, history.Fail, history.Info}).Draw(t,
				"outcome")
			f := rapid.SampledFrom([]string{Read, Write, CAS, Delete}).Draw(t, "f")
			g.learnFromAnswer(Op{F: f, Key: op.Key}, Result{Type: kind, Mod: mod})
			switch {
			case kind == history.OK && mod != 0, kind == history.Fail && f == CAS && mod != 0:
				want = mod
			case kind == history.OK && (f == Delete || f == Read):
				want = 0 // nothing there
			}
		}
	})
}

// TestWatchesContinueFromTheLastAnswer: a client knows a path up to the last answer about it, or else up to
// the last answer about any path.
func TestWatchesContinueFromTheLastAnswer(t *testing.T) {
	g := newGenerator(0, Spec{Keys: 1}, jsonCodec{functions: []Weight{{F: Watch, Weight: 1}}},
		&scripted{choices: map[string]chooser{"function": never{}, "key": never{}, "watch": never{}}})
	next := func() [2]any {
		op := g.nextOp()
		require.Equal(t, "k0", op.Key)
		return [2]any{op.Since, op.Chain}
	}
	require.Equal(t, [2]any{uint64(0), ""}, next())
	g.learnFromAnswer(Op{F: Write, Key: "k1"}, Result{Type: history.OK, Rev: 4})
	require.Equal(t, [2]any{uint64(4), ""}, next(), "of another path")
	op := Op{F: Watch, Key: "k0"}
	answer := Watched(op, WatchAnswer{Changed: true, Revision: 7})
	answer.Chain = "b"
	g.learnFromAnswer(op, answer)
	g.learnFromAnswer(Op{F: Write, Key: "k1"}, Result{Type: history.OK, Rev: 9})
	require.Equal(t, [2]any{uint64(7), "b"}, next())
	g.learnFromAnswer(Op{F: Read, Key: "k0"}, Result{Type: history.Info})
	require.Equal(t, [2]any{uint64(7), "b"}, next(), "no answer")
	g.learnFromAnswer(Op{F: Read, Key: "k0"}, Result{Type: history.OK, Rev: 6})
	require.Equal(t, [2]any{uint64(6), ""}, next(), "the last one, not the highest")
	require.Equal(t, `{"since":6}`, string(opValue(Op{F: Watch, Since: 6})))
	require.Equal(t, `{"since":0,"changed":true,"revision":7}`, string(answer.Value))
}

func TestKeyNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for i := range 200 {
		name := KeyName(i)
		require.False(t, seen[name], name)
		seen[name] = true
		require.False(t, seen[keyDirectory(name)], "%s is a key and the directory of one", keyDirectory(name))
	}
	require.Equal(t, "k3", KeyName(3))
	require.Equal(t, "d1/k4", KeyName(4))
	require.Equal(t, "d1", keyDirectory("d1/k4"))
	require.Equal(t, "dir-k3", keyDirectory("k3"))
}

func TestCheckMix(t *testing.T) {
	codec := jsonCodec{functions: []Weight{{F: Read, Weight: 1}, {F: Write, Weight: 1}}}
	require.NoError(t, (&Spec{}).CheckMix(codec))
	require.NoError(t, (&Spec{Mix: map[string]int{Read: 1, Write: 0}}).CheckMix(codec))
	require.EqualError(t, (&Spec{Mix: map[string]int{CAS: 1}}).CheckMix(codec),
		`no operation is called "cas"; write some of read, write`)
	require.EqualError(t, (&Spec{Mix: map[string]int{Read: 0}}).CheckMix(codec),
		"all weights are 0; give at least one of read, write a weight")
}

// TestCallsAreSharedOut: all clients together make the workload's operations, none more than one above
// another.
func TestCallsAreSharedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Clients: rapid.IntRange(1, 20).Draw(t, "clients"), Operations: rapid.IntRange(0,
			200).Draw(t, "operations")}
		total := 0
		for i := range s.Clients {
			calls := s.Calls(i)
			require.InDelta(t, float64(s.Operations)/float64(s.Clients), float64(calls), 1)
			total += calls
		}
		require.Equal(t, s.Operations, total)
	})
}

func TestDefaultsFillTheDuration(t *testing.T) {
	var s Spec
	s.SetDefaults(41 * time.Second)
	require.Equal(t, Spec{Clients: DefaultClients, Operations: DefaultOperations, Keys: DefaultKeys,
		ValueBytes: DefaultValueBytes, Timeout: DefaultTimeout, Pause: time.Second}, s)
	given := Spec{Clients: 1, Operations: 2, Keys: 3, ValueBytes: 4, Pause: 5, Timeout: 6}
	same := given
	same.SetDefaults(time.Hour)
	require.Equal(t, given, same)
}

// TestWeightsAreShares tries every draw once: the number of draws of each function equals its weight.
func TestWeightsAreShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		functions := weights(t)
		next := &counting{}
		e := &scripted{t: t, choices: map[string]chooser{"function": next, "key": never{}, "other": never{},
			"watch": never{}}}
		g := newGenerator(0, Spec{Keys: 1}, jsonCodec{functions: functions}, e)
		seen := map[string]int{}
		for range g.totalWeight {
			seen[g.nextOp().F]++
		}
		for _, f := range functions {
			require.Equal(t, f.Weight, seen[f.F], f.F)
		}
	})
}

// counting chooses 0, 1, 2 and so on.
type counting struct{ next uint64 }

func (c *counting) Choose(n uint64) uint64 {
	c.next++
	return (c.next - 1) % n
}
