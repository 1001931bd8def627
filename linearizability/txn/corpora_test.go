package txn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/txn"
)

// elleHistories returns the folder of the histories that come with Elle's command line, or skips.
func elleHistories(t testing.TB) string {
	t.Helper()
	roots := []string{os.Getenv("HOLDFAST_CORPORA")}
	for up := "../.."; len(up) < 20; up += "/.." {
		roots = append(roots, filepath.Join(up, "shared", "corpora"))
	}
	for _, root := range roots {
		dir := filepath.Join(root, "jepsen-histories", "elle")
		if _, err := os.Stat(dir); root != "" && err == nil {
			return dir
		}
	}
	t.Skip("histories not found: set HOLDFAST_CORPORA to the folder that holds jepsen-histories/elle")
	return ""
}

// TestElleHistories: each public history has the anomaly that is known of it. The example of the paper is
// read skew. list-append-gh-30 is write skew over two lists. The register of rw-register returns 3, which
// nothing wrote.
func TestElleHistories(t *testing.T) {
	dir := elleHistories(t)
	for _, c := range []struct {
		file  string
		kind  txn.Kind
		model txn.Consistency
		want  txn.Anomaly
	}{
		{"paper-example.edn", txn.ListAppend, txn.SnapshotIsolation, txn.GSingle},
		{"list-append-gh-30.edn", txn.ListAppend, txn.Serializable, txn.G2Item},
		{"rw-register.edn", txn.RWRegister, txn.ReadUncommitted, txn.GarbageRead},
	} {
		path := filepath.Join(dir, c.file)
		h, err := linearizability.ReadFile(path, "")
		require.NoError(t, err)
		report := check(t, c.kind, h.Ops, txn.WithConsistency(c.model))
		require.Equal(t, map[txn.Anomaly]int{c.want: 1}, report.Counts, c.file)
		require.Len(t, report.Forbidden, 1)
		whole, err := linearizability.CheckFile(context.Background(), path, string(c.kind))
		require.NoError(t, err)
		require.Equal(t, linearizability.Invalid, whole.Validity)
		require.Equal(t, linearizability.Kind(c.want), whole.Violations[0].Kind)
	}
	for file, kind := range map[string]txn.Kind{"paper-example": txn.ListAppend,
		"rw-register": txn.RWRegister} {
		h, err := linearizability.ReadFile(filepath.Join(dir, file+".edn"), "")
		require.NoError(t, err)
		require.Equal(t, check(t, kind, h.Ops).Summary(),
			check(t, kind, jsonArray(t, filepath.Join(dir, file+".json"))).Summary())
	}
	h, err := linearizability.ReadFile(filepath.Join(dir, "list-append-gh-30.edn"), "")
	require.NoError(t, err)
	require.True(t, check(t, txn.ListAppend, h.Ops,
		txn.WithConsistency(txn.StrongSnapshotIsolation)).Satisfied())
}

// jsonArray reads a history that is one JSON array of events.
func jsonArray(t testing.TB, path string) []history.Operation {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var list []json.RawMessage
	require.NoError(t, json.Unmarshal(text, &list))
	var lines bytes.Buffer
	for i, event := range list {
		lines.Write(event[:len(event)-1])
		fmt.Fprintf(&lines, ",\"time\":%d}\n", i)
	}
	_, ops, _, err := history.ReadOperations(&lines)
	require.NoError(t, err)
	return ops
}
