package txn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

func okTxn(value string) history.Operation {
	return history.Operation{Index: 7, Process: 3, Return: 1, Outcome: history.OK, F: "txn",
		Output: json.RawMessage(value)}
}

// TestMalformedTransactions: every error names the operation and what is wrong.
func TestMalformedTransactions(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{``, "it has no value"},
		{`null`, "its ok event has no value"},
		{`{`, "is not JSON"},
		{`{"r":1}`, "is not an array"},
		{`5`, "is not an array"},
		{`[5]`, "is not an array"},
		{`[[]]`, "has three parts"},
		{`[["r","x"]]`, "has three parts"},
		{`[["r","x",[],1]]`, "has three parts"},
		{`[[1,"x",[]]]`, "1 is no function; use append or r"},
		{`[["cas","x",[]]]`, `function "cas" is not known; use append or r`},
		{`[["r","x","y"]]`, "a read of a list returns an array"},
		{`[["append","x",1],["r","x",{}]]`, `micro-operation 1, ["r","x",{}]`},
	} {
		_, err := txn.Check(context.Background(), txn.ListAppend, []history.Operation{okTxn(c.value)})
		require.ErrorIs(t, err, txn.ErrTransaction, c.value)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "operation 7 of process 3")
	}
}

// TestAnswersFitTheRequest: an ok event may differ from its invoke event only in what was read.
func TestAnswersFitTheRequest(t *testing.T) {
	for _, c := range []struct {
		asked, done string
		good        bool
	}{
		{`[["r","x",null]]`, `[["r","x",[1]]]`, true},
		{`[["r", "x"]]`, `[["r","x",[1]]]`, true},
		{`[[":append", 1.0, {"a":1}]]`, `[[":append",1,{ "a" : 1 }]]`, true},
		{`[["r","x",null]]`, `[["r","y",[1]]]`, false},
		{`[["r","x",null]]`, `[["append","x",1]]`, false},
		{`[["append","x",2]]`, `[["append","x",1]]`, false},
		{`[["append","x"]]`, `[["append","x",1]]`, false},
		{`[["r","x",null],["r","x",null]]`, `[["r","x",[1]]]`, false},
		{`[7]`, `[["r","x",[1]]]`, false},
	} {
		op := okTxn(c.done)
		op.Input = json.RawMessage(c.asked)
		_, err := txn.Check(context.Background(), txn.ListAppend, []history.Operation{op})
		if c.good {
			require.NoError(t, err, c.asked)
		} else {
			require.ErrorIs(t, err, txn.ErrTransaction, c.asked)
		}
	}
}

func TestKindAndModelMustBeKnown(t *testing.T) {
	_, err := txn.Check(context.Background(), "queue", nil)
	require.ErrorIs(t, err, txn.ErrKind)
	_, err = txn.Check(context.Background(), txn.ListAppend, nil, txn.WithConsistency("causal"))
	require.ErrorIs(t, err, txn.ErrConsistency)
	for name, want := range map[string]txn.Consistency{"PL-3": txn.Serializable,
		"pl-2.99":             txn.RepeatableRead,
		"strong-serializable": txn.StrictSerializable, "Snapshot-Isolation": txn.SnapshotIsolation} {
		got, err := txn.FindConsistency(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestOtherFunctions: what is no transaction makes the verdict unknown and is named, but an anomaly still
// counts. A value that nothing wrote may come from such an operation.
func TestOtherFunctions(t *testing.T) {
	ops := []history.Operation{okTxn(`[["r","x",[1]]]`), {Index: 8, F: "transfer", Outcome: history.OK},
		{Index: 9, F: "transfer", Outcome: history.OK}, {Index: 10, F: "kill", Process: -1}}
	report := check(t, txn.ListAppend, ops)
	require.False(t, report.Satisfied())
	require.Empty(t, report.Forbidden)
	require.Equal(t, []string{"operations of functions that model list-append does not know: transfer (2); " +
		"it knows txn"},
		report.Undecided)
	report = check(t, txn.ListAppend, append(ops, okTxn(`[["append","y",1],["r","y",[]]]`)))
	require.Equal(t, txn.Internal, report.Forbidden[0].Anomaly)
}

// TestEndOfContext: a check that was stopped proves nothing.
func TestEndOfContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	report, err := txn.Check(ctx, txn.ListAppend, simulate(1, txn.ListAppend, strict, small[1]))
	require.NoError(t, err)
	require.False(t, report.Satisfied())
	require.ErrorContains(t, fmt.Errorf("%s", report.Summary()), "context canceled")
}

// TestModelsAndAnomalies: every anomaly has a title and is forbidden by strict-serializable; a stronger model
// forbids what a weaker one does.
func TestModelsAndAnomalies(t *testing.T) {
	for _, a := range txn.Anomalies() {
		require.NotEqual(t, string(a), a.Title())
		require.True(t, txn.StrictSerializable.Forbids(a), a)
		for _, strong := range txn.ConsistencyModels() {
			for _, weak := range txn.ConsistencyModels() {
				if strong.Implies(weak) && weak.Forbids(a) {
					require.True(t, strong.Forbids(a), "%s, %s, %s", a, strong, weak)
				}
			}
		}
	}
	require.False(t, txn.SnapshotIsolation.Forbids(txn.G2Item))
	require.False(t, txn.Serializable.Forbids("G-single-realtime"))
	require.False(t, txn.ReadUncommitted.Implies(txn.ReadCommitted))
}

// TestSearchLimit: the limit changes which cycle is shown, and not whether there is one.
func TestSearchLimit(t *testing.T) {
	for seed := range uint64(200) {
		ops := simulate(seed, txn.ListAppend, unlocked, small[2])
		want := check(t, txn.ListAppend, ops)
		got := check(t, txn.ListAppend, ops, txn.WithSearchLimit(1))
		for _, model := range txn.ConsistencyModels() {
			if model != txn.ConsistentView { // G-single and G-nonadjacent may be taken for each other
				require.Equal(t, slices.Contains(append(want.Not, want.AlsoNot...), model),
					slices.Contains(append(got.Not, got.AlsoNot...), model), "%s, seed %d", model, seed)
			}
		}
	}
}

// TestShortestCycle hides a cycle of two among longer ones.
func TestShortestCycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 30).Draw(t, "length")
		at := rapid.IntRange(0, n-1).Draw(t, "at")
		var lines []string
		for i := range n { // each transaction reads what the one before it wrote
			line := fmt.Sprintf("0 9 %d ok k%d+1 k%d=[1]", i, i, (i+n-1)%n)
			if i == at { // and this one is read by the one before it
				line += " back+1"
			}
			if i == (at+n-1)%n {
				line += " back=[1]"
			}
			lines = append(lines, line)
		}
		report, err := txn.Check(context.Background(), txn.ListAppend,
			parseHistory(t, strings.Join(lines, "\n")))
		require.NoError(t, err)
		require.Len(t, report.Forbidden, 1)
		require.Equal(t, txn.G1c, report.Forbidden[0].Anomaly)
		require.Len(t, report.Forbidden[0].Cycle.Steps, 2)
	})
}

// TestNumbersAndText: values are equal exactly if they are equal as JSON.
func TestNumbersAndText(t *testing.T) {
	for _, c := range []struct {
		written, read string
		same          bool
	}{
		{`1`, `1.0`, true}, {`100`, `1e2`, true}, {`-0`, `0`, true}, {`0.1`, `1e-1`, true},
		{`12345678901234567890`, `12345678901234567890`, true},
		{`12345678901234567890`, `12345678901234567891`, false},
		{`"a"`, `"\u0061"`, true}, {`"1"`, `1`, false}, {`null`, `"null"`, false}, {`true`, `"true"`, false},
		{`{"a":1,"b":[2]}`, `{ "b" : [ 2.0 ], "a" : 1 }`, true}, {`[]`, `{}`, false},
		{`"a]\",["`, `"a]\",["`, true},
		{`""`, `null`, false}, {`1e999`, `1e999`, true},
	} {
		for _, key := range []string{`null`, `[1,{"x":"]"}]`, c.written} {
			ops := []history.Operation{okTxn(fmt.Sprintf(` [ ["append", %s ,%s ] ] `, key, c.written)),
				okTxn(fmt.Sprintf(`[["r",%s,[%s]]]`, key, c.read))}
			report := check(t, txn.ListAppend, ops)
			require.Equal(t, c.same, report.Counts[txn.GarbageRead] == 0, "%s and %s: %s", c.written, c.read,
				report.Summary())
		}
	}
}

// FuzzCheck gives foreign histories to the checker: it returns an error or a report, and the same one twice.
func FuzzCheck(f *testing.F) {
	f.Add(`{"p":0,"type":"invoke","f":"txn","v":[["append","x",1],["r","y",null]]}
{"p":0,"type":"ok","f":"txn","v":[["append","x",1],["r","y",[2,{"a":[]},2]]]}`)
	f.Add(`{"p":0,"type":"invoke","v":[["w",[1],"a"],["r","x",null]],"t":3}
{"p":1,"type":"invoke","v":[["r",[1],null],["w",[1],2]],"t":3}
{"p":0,"type":"ok","v":[["w",[1],"a"],["r","x",1e3]],"t":4}
{"p":1,"type":"ok","v":[["r",[1],"a"],["w",[1],2]],"t":4}`)
	f.Add(`{"p":0,"type":"invoke","f":"txn","v":[["r","x"]]}`)
	f.Fuzz(func(t *testing.T, data string) {
		_, ops, _, err := history.ReadOperations(strings.NewReader(data))
		if err != nil {
			return
		}
		for _, kind := range txn.Kinds() {
			report, err := txn.Check(context.Background(), kind, ops)
			if err != nil {
				require.ErrorIs(t, err, txn.ErrTransaction)
				continue
			}
			again := check(t, kind, ops)
			require.Equal(t, report, again)
			require.NotEmpty(t, report.Summary())
		}
	})
}
