package linearizability_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

func transaction(process int, outcome history.Type, value string) history.Operation {
	return history.Operation{Index: int64(process), Process: process, Return: 9, Outcome: outcome, F: "txn",
		Input: json.RawMessage(value), Output: json.RawMessage(value)}
}

// TestTransactions: forbidden anomalies are violations, allowed ones are details, and what was not understood
// is unknown.
func TestTransactions(t *testing.T) {
	skew := []history.Operation{transaction(0, history.OK, `[["r","x",null],["append","y",1]]`),
		transaction(1, history.OK, `[["r","y",null],["append","x",1]]`)}
	report, err := lin.CheckTransactions(context.Background(), txn.ListAppend, skew,
		lin.WithConsistency("serializable"))
	require.NoError(t, err)
	require.Equal(t, lin.Invalid, report.Validity)
	require.Equal(t, lin.Kind("G2-item"), report.Violations[0].Kind)
	require.Equal(t, "G2-item (write skew: a cycle with adjacent anti-dependencies)",
		report.Violations[0].Kind.Title())
	require.Contains(t, report.Violations[0].Drawing, `T0: r "x" = [], append "y" 1`)
	require.Len(t, report.Verdict().Evidence, 2)

	report, err = lin.CheckTransactions(context.Background(), txn.ListAppend, skew,
		lin.WithConsistency("snapshot-isolation"))
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity)
	require.Contains(t, report.Verdict().Details[2], "ruled out: repeatable-read")
	require.Contains(t, report.Verdict().Details[3], "allowed by snapshot-isolation: G2-item: T0 read")

	report, err = lin.CheckTransactions(context.Background(), txn.ListAppend, append(skew[:1:1],
		history.Operation{F: "transfer", Outcome: history.OK}))
	require.NoError(t, err)
	require.Equal(t, lin.Unknown, report.Validity)
	require.Contains(t, report.Verdict().Summary, "transfer (1)")

	_, err = lin.CheckTransactions(context.Background(), txn.RWRegister, skew)
	require.ErrorIs(t, err, txn.ErrTransaction)
}

// TestConsistencyIsForTransactions: a consistency model with another model is an error and changes nothing.
func TestConsistencyIsForTransactions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"p":0,"type":"invoke","f":"read","t":1}`+"\n"), 0o600))
	for _, model := range []string{"register", lin.LocksModel} {
		require.False(t, lin.IsTransactional(model))
		_, err := lin.CheckFile(context.Background(), path, model, lin.WithConsistency("serializable"))
		require.ErrorIs(t, err, lin.ErrNotTransactions)
	}
	for _, kind := range txn.Kinds() {
		require.True(t, lin.IsTransactional(string(kind)))
		require.Contains(t, lin.ModelNames(), string(kind))
	}
	_, err := lin.CheckFile(context.Background(), path, "list-append", lin.WithConsistency("causal"))
	require.ErrorIs(t, err, txn.ErrConsistency)
}
