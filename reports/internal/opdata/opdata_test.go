package opdata_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports/internal/opdata"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden file")

// decoded are columns as a script reads them.
type decoded struct {
	Count     int
	IDs       []string
	Functions []string
	Keys      []string
	Nodes     []string
	Errors    []string
	Values    []string
	Revisions []string
	Call      []int64
	Took      []int64
	Index     []int64
	Client    []int64
	Violation []int64
	Outcome   []int64
	Function  []int64
	Key       []int64
	Node      []int64
	Error     []int64
	Input     []int64
	Output    []int64
	Expect    []int64
	Revision  []int64
	Modified  []int64
}

func source() opdata.Source {
	return opdata.Source{Client: func(process int) int { return process % 10 },
		Violation:  map[int64]int{2: 1},
		LatencyLow: 1000, LatencyHigh: time.Second}
}

func write(t require.TestingT, ops []history.Operation, s opdata.Source) (*opdata.Columns, string, *decoded) {
	c := opdata.New(ops, s)
	text, err := c.AppendJSON(nil)
	require.NoError(t, err)
	var d decoded
	require.NoError(t, json.Unmarshal(text, &d), string(text))
	return c, string(text), &d
}

func TestColumnsGolden(t *testing.T) {
	c, text, _ := write(t, []history.Operation{
		{Index: 0, Process: 11, Call: 1_000_000, Return: 3_500_000, Outcome: history.OK,
			F: "write", Key: "k1",
			Input: json.RawMessage(`"v"`), Rev: 7, Mod: 7, ID: "c1-0", Node: "n1"},
		{Index: 2, Process: 1, Call: 4_000_000, Return: history.Never, Ended: 1_004_000_000,
			Outcome: history.Info,
			F:       "cas", Key: "k1", Input: json.RawMessage(`"</script>"`), Error: "timeout", Node: "n2"},
		{Index: 3, Process: 2, Call: 5_000_000, Return: history.Never, Outcome: history.Info,
			F: "read", Key: "k2"},
		{Index: 4, Process: 3, Call: 5_000_001, Return: 5_000_002, Outcome: history.Fail, F: "cas", Key: "k1",
			Expect: 6, Input: json.RawMessage(`"v"`), Output: json.RawMessage(`"v"`), Rev: 1 << 60},
	}, source())
	require.Zero(t, c.LeftOut)
	path := filepath.Join("testdata", "columns.json")
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
	require.NotContains(t, text, "</script", "the columns stand inside a script element")
}

// TestNothingIsLeftOut reads columns back and compares every operation.
func TestNothingIsLeftOut(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "k1", "<b>&\u2028", "\x1b\xff", strings.Repeat("long", 40)})
	rapid.Check(t, func(t *rapid.T) {
		var ops []history.Operation
		at, index := int64(0), int64(0)
		for range rapid.IntRange(0, 30).Draw(t, "operations") {
			at += rapid.Int64Range(0, 1e12).Draw(t, "later")
			index += rapid.Int64Range(1, 5).Draw(t, "events")
			op := history.Operation{Index: index, Process: rapid.IntRange(0, 99).Draw(t, "process"), Call: at,
				Return: history.Never, F: text.Draw(t, "f"), Key: text.Draw(t, "key"),
				Node:  text.Draw(t, "node"),
				Error: text.Draw(t, "error"), ID: text.Draw(t, "id"), Rev: rapid.Uint64().Draw(t, "revision"),
				Mod: rapid.Uint64().Draw(t, "modified")}
			op.Outcome = rapid.SampledFrom([]history.Type{history.OK, history.Fail, history.Info}).Draw(t,
				"outcome")
			took := rapid.Int64Range(1, 1e12).Draw(t, "took")
			if op.Outcome != history.Info {
				op.Return = at + took
			} else if rapid.Bool().Draw(t, "given up") {
				op.Ended = at + took
			}
			ops = append(ops, op)
		}
		_, _, d := write(t, ops, source())
		require.Equal(t, len(ops), d.Count)
		short := func(s string) string { return words.Shorten(words.Clean(s), words.MaxValueChars) }
		at, index = 0, 0
		for i := range ops {
			op := &ops[i]
			at, index = at+d.Call[i], index+d.Index[i]
			require.Equal(t, op.Call, at)
			require.Equal(t, op.Index, index)
			switch {
			case op.Return != history.Never:
				require.Equal(t, op.Return-op.Call, d.Took[i])
			case op.Ended != 0:
				require.Equal(t, op.Ended-op.Call, -d.Took[i]-2)
			default:
				require.EqualValues(t, -1, d.Took[i])
			}
			require.EqualValues(t, op.Process%10, d.Client[i])
			require.Equal(t, map[history.Type]int64{history.OK: 0, history.Fail: 1,
				history.Info: 2}[op.Outcome], d.Outcome[i])
			require.Equal(t, []string{short(op.F), short(op.Key), short(op.Node),
				short(op.Error), short(op.ID)},
				[]string{d.Functions[d.Function[i]], d.Keys[d.Key[i]], d.Nodes[d.Node[i]],
					d.Errors[d.Error[i]], d.IDs[i]})
			require.Equal(t, op.Rev, revision(d, d.Revision[i]))
			require.Equal(t, op.Mod, revision(d, d.Modified[i]))
		}
	})
}

// revision reads what the columns have of a revision.
func revision(d *decoded, n int64) (rev uint64) {
	switch {
	case n > 0:
		return uint64(n - 1)
	case n < 0:
		if err := json.Unmarshal([]byte(d.Revisions[-n]), &rev); err != nil {
			panic(err)
		}
	}
	return rev
}

// TestTextsHaveALimit: texts beyond the limit are counted, and the operations stay.
func TestTextsHaveALimit(t *testing.T) {
	var ops []history.Operation
	for i := range int64(100) {
		ops = append(ops, history.Operation{Index: i, Call: i, Return: i + 1, Outcome: history.OK,
			F: "write", Key: "k",
			Input: json.RawMessage(`"` + strings.Repeat("x", int(i%40)) + `"`), ID: "id"})
	}
	s := source()
	s.MaxTextBytes = 300
	c, _, d := write(t, ops, s)
	require.Equal(t, 100, d.Count)
	require.Len(t, d.Call, 100)
	require.Positive(t, c.LeftOut)
	require.Equal(t, "(not on this page)", d.Values[d.Input[39]])
	require.Equal(t, `"x"`, d.Values[d.Input[1]])
}
