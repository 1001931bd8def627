package linearizability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	lin "github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/internal/gen"
	"github.com/holdfast-sim/holdfast/linearizability/models"
)

func storeModel(t testing.TB) *lin.Model {
	t.Helper()
	m, err := models.Store(nil)
	require.NoError(t, err)
	return m
}

func witnessed(t testing.TB, g *gen.History) *lin.History {
	t.Helper()
	w, err := lin.NewWitness(g.Witness)
	require.NoError(t, err)
	return &lin.History{Ops: g.Ops, Witness: w}
}

func TestCorrectStoreIsValid(t *testing.T) {
	for seed := range uint64(300) {
		c := gen.Config{Seed: seed, Ops: 120, Clients: 1 + int(seed%9), Keys: 4,
			UnknownPpm: int(seed%3) * 60_000,
			Tree:       seed%2 == 0}
		if seed%2 == 1 {
			c.LocalPpm, c.Nodes = 200_000, 3
		}
		report, err := lin.Check(context.Background(), storeModel(t), witnessed(t, gen.Store(c)))
		require.NoError(t, err)
		require.Equal(t, lin.Valid, report.Validity, "seed %d: %+v", seed, report)
		require.Equal(t, lin.ByCertificate, report.Method)
	}
}

// Without a witness, small histories are searched, and come out valid as well.
func TestSearchWithoutWitness(t *testing.T) {
	for seed := range uint64(60) {
		g := gen.Store(gen.Config{Seed: seed, Ops: 40, Clients: 4, Keys: 3, UnknownPpm: 50_000,
			Tree: seed%2 == 0})
		report, err := lin.Check(context.Background(), storeModel(t), &lin.History{Ops: g.Ops})
		require.NoError(t, err)
		require.Equal(t, lin.Valid, report.Validity, "seed %d: %+v", seed, report)
	}
}

func TestRegisterAndVersionedKV(t *testing.T) {
	events := func(answer string) []history.Event {
		return []history.Event{
			{Time: 1, Process: 1, Type: history.Invoke, F: "write", Key: "x", Value: json.RawMessage("1")},
			{Time: 2, Process: 1, Type: history.OK, Mod: 5},
			{Time: 3, Process: 2, Type: history.Invoke, F: "read", Key: "x"},
			{Time: 4, Process: 2, Type: history.OK, Value: json.RawMessage(answer), Mod: 5},
		}
	}
	for _, name := range []string{"register", "versioned-kv"} {
		for answer, want := range map[string]lin.Validity{"1": lin.Valid, "2": lin.Invalid} {
			m, err := models.ByName(name, nil)
			require.NoError(t, err)
			ops, err := history.Operations(events(answer))
			require.NoError(t, err)
			report, err := lin.Check(context.Background(), m, &lin.History{Ops: ops})
			require.NoError(t, err)
			require.Equal(t, want, report.Validity, "%s, answer %s", name, answer)
		}
	}
	_, err := models.ByName("no-such", nil)
	require.ErrorIs(t, err, models.ErrUnknownModel)
	require.ErrorContains(t, err, "store")
}

// The file interface finds history and witness and judges as Check does.
func TestCheckFile(t *testing.T) {
	g := gen.Store(gen.Config{Seed: 5, Ops: 200, Clients: 5, Keys: 4, UnknownPpm: 50_000})
	dir := t.TempDir()
	path := filepath.Join(dir, "history.jsonl")
	writeHistory(t, path, g)
	report, err := lin.CheckFile(context.Background(), path, "")
	require.NoError(t, err)
	require.Equal(t, lin.Valid, report.Validity, "%+v", report)
	require.Zero(t, report.Stats.Open)

	require.True(t, plant[lin.LostWrite](rand.New(rand.NewPCG(1, 1)), g))
	writeHistory(t, path, g)
	report, err = lin.CheckFile(context.Background(), path, "store")
	require.NoError(t, err)
	require.Equal(t, lin.Invalid, report.Validity)
	require.Equal(t, lin.LostWrite, report.Violations[0].Kind)

	_, err = lin.CheckFile(context.Background(), path, "", lin.WithWitnessFile(filepath.Join(dir, "none")))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func writeHistory(t testing.TB, path string, g *gen.History) {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, history.WriteAll(&file, history.Header{Model: "store"}, eventsOf(g.Ops)))
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))
	file.Reset()
	w, err := history.NewWitnessWriter(&file, history.Header{})
	require.NoError(t, err)
	for _, e := range g.Witness {
		require.NoError(t, w.Append(e))
	}
	require.NoError(t, w.Flush())
	require.NoError(t, os.WriteFile(lin.WitnessPath(path), file.Bytes(), 0o600))
}

// eventsOf undoes history.Operations.
func eventsOf(ops []history.Operation) []history.Event {
	var events []history.Event
	for _, op := range ops {
		events = append(events, history.Event{Time: op.Call, Process: op.Process,
			Type: history.Invoke, F: op.F,
			Key: op.Key, Value: op.Input, Mod: op.Expect, ID: op.ID, Node: op.Node})
		end := history.Event{Time: op.Return, Process: op.Process, Type: op.Outcome, F: op.F,
			Value: op.Output,
			Rev:   op.Rev, Mod: op.Mod, Error: op.Error}
		if op.Outcome == history.Info {
			end.Time = op.Ended
		}
		events = append(events, end)
	}
	sort.SliceStable(events, func(i, j int) bool { return events[i].Time < events[j].Time })
	return events
}
