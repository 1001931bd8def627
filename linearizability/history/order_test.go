package history_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func TestInOrder(t *testing.T) {
	event := func(typ history.Type, time int64) history.Event { return history.Event{Type: typ, Time: time} }
	remark := history.Event{Process: -1, Type: history.Info, Time: 1}
	for name, test := range map[string]struct {
		events          []history.Event
		want            []int64
		ties, backwards int
	}{
		"rising times stay": {[]history.Event{event(history.Invoke, -5), event(history.OK, 3),
			event(history.Invoke, 4)},
			[]int64{-5, 3, 4}, 0, -1},
		"a call behind an end of the same time moves": {[]history.Event{event(history.Invoke, 7),
			event(history.OK, 7),
			event(history.Invoke, 7), event(history.Fail, 7), event(history.Invoke, 8)},
			[]int64{7, 7, 8, 8, 9}, 2, -1},
		"calls of the same time do not": {[]history.Event{event(history.Invoke, 7), event(history.Invoke, 7)},
			[]int64{7, 7}, 0, -1},
		"an unknown outcome ends nothing": {[]history.Event{event(history.Invoke, 7), event(history.Info, 7),
			event(history.Invoke, 7)}, []int64{7, 7, 7}, 0, -1},
		"backwards": {[]history.Event{event(history.Invoke, 7), event(history.OK, 9),
			event(history.Invoke, 2),
			event(history.OK, 3), event(history.Invoke, 20)}, []int64{7, 9, 10, 10, 20}, 1, 2},
		"remarks are no part of the order": {[]history.Event{event(history.Invoke, 7), remark,
			event(history.OK, 8)},
			[]int64{7, 1, 8}, 0, -1},
		"the last time of all": {[]history.Event{event(history.OK, math.MaxInt64),
			event(history.Invoke, math.MaxInt64)},
			[]int64{math.MaxInt64, math.MaxInt64}, 0, -1},
	} {
		ties, backwards := history.InOrder(test.events)
		var got []int64
		for _, e := range test.events {
			got = append(got, e.Time)
		}
		require.Equal(t, test.want, got, name)
		require.Equal(t, test.ties, ties, name)
		require.Equal(t, test.backwards, backwards, name)
	}
}

// Times never fall, and an end comes before each later call.
func TestInOrderIsTheOrderOfPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) history.Event {
			return history.Event{Process: rapid.IntRange(0, 3).Draw(t, "process"),
				Type: history.Type(rapid.IntRange(int(history.Invoke), int(history.Info)).Draw(t, "type")),
				Time: rapid.Int64Range(-20, 20).Draw(t, "time")}
		}), 1, 40).Draw(t, "events")
		history.InOrder(events)
		closed := int64(math.MinInt64)
		for i, e := range events {
			require.True(t, i == 0 || e.Time >= events[i-1].Time)
			switch e.Type {
			case history.Invoke:
				require.Greater(t, e.Time, closed)
			case history.OK, history.Fail:
				closed = e.Time
			}
		}
	})
}

func TestReadInOrder(t *testing.T) {
	lines := []string{`{"i":0,"t":5,"p":0,"type":"invoke","f":"read"}`,
		`{"i":1,"t":5,"p":0,"type":"ok","f":"read"}`,
		`{"i":2,"t":5,"p":0,"type":"invoke","f":"read"}`, `{"i":3,"t":6,"p":0,"type":"ok","f":"read"}`}
	_, ops, torn, ties, err := history.ReadInOrder(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	require.False(t, torn)
	require.Equal(t, 1, ties)
	require.Equal(t, []int64{5, 5, 6, 6}, []int64{ops[0].Call, ops[0].Return, ops[1].Call, ops[1].Return})

	_, _, torn, _, err = history.ReadInOrder(strings.NewReader(strings.Join(lines, "\n")[:150]))
	require.NoError(t, err)
	require.True(t, torn)

	lines[2], lines[3] = lines[3], lines[2]
	lines[3] = strings.Replace(lines[3], `"t":5`, `"t":4`, 1)
	_, _, _, _, err = history.ReadInOrder(strings.NewReader(strings.Join(lines[:1], "\n") + "\n" + lines[3]))
	require.ErrorIs(t, err, history.ErrBackwards)
	require.ErrorContains(t, err, "line 2")
}

func BenchmarkReadInOrder(b *testing.B) {
	file := benchmarkFile()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, _, err := history.ReadInOrder(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchmarkOps/b.Elapsed().Seconds(), "ops/s")
}
