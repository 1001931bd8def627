package reports_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// A recorder writes what encoding/json would write of a [reports.Record].
func TestRecorderWritesRecords(t *testing.T) {
	records := rapid.SliceOfN(rapid.Custom(drawRecord), 1, 20)
	if !thorough.On() { // each try renders a page
		for seed := range 8 {
			recorderWrites(t, t.TempDir(), records.Example(seed))
		}
		return
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "runs")
		require.NoError(rt, err)
		recorderWrites(rt, dir, records.Draw(rt, "records"))
	})
}

// recorderWrites requires that the folder of a run holds the records that its recorder took.
func recorderWrites(t require.TestingT, dir string, records []scenarios.Stamped) {
	recorder, err := reports.NewRecorder(dir)
	require.NoError(t, err)
	defer recorder.Close()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	for _, r := range records {
		recorder.Take(r)
		line := reports.Record{At: r.At, Machine: r.Machine, Process: r.Process}
		if r.Record != nil {
			line.Kind = r.Record.RecordKind()
			line.Record, err = json.Marshal(r.Record)
			require.NoError(t, err)
		}
		require.NoError(t, enc.Encode(line))
	}
	run := smallSample().make()
	run.Records = nil
	paths, err := reports.Options{Records: recorder}.WriteRun(filepath.Join(dir, "story", "1"), run)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(paths.Dir, reports.RecordsFile))
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got))
}

// note is a record, quickNote one that writes its JSON itself.
type note struct {
	Text   string
	Number uint64
}

func (note) RecordKind() string { return "note" }

type quickNote struct{ note }

func (n quickNote) AppendJSON(b []byte) []byte {
	line, _ := json.Marshal(n.note)
	return append(b, line...)
}

func drawRecord(t *rapid.T) scenarios.Stamped {
	r := scenarios.Stamped{At: time.Duration(rapid.Int64().Draw(t, "at")),
		Machine: env.MachineID(rapid.Int32().Draw(t, "machine")), Process: rapid.String().Draw(t, "process")}
	note := note{Text: rapid.String().Draw(t, "text"), Number: rapid.Uint64().Draw(t, "number")}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		r.Record = note
	case 1:
		r.Record = quickNote{note}
	}
	return r
}

// A recorder that is not put into a folder leaves nothing behind.
func TestRecorderTidiesUp(t *testing.T) {
	dir := t.TempDir()
	recorder, err := reports.NewRecorder(dir)
	require.NoError(t, err)
	recorder.Take(scenarios.Stamped{})
	recorder.Close()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestRecorderReportsWhatWentWrong verifies that a failed write is reported and that no folder appears.
func TestRecorderReportsWhatWentWrong(t *testing.T) {
	dir := t.TempDir()
	recorder, err := reports.NewRecorder(dir)
	require.NoError(t, err)
	defer recorder.Close()
	recorder.Take(scenarios.Stamped{Record: unwritable{}})
	_, err = reports.Options{Records: recorder}.WriteRun(filepath.Join(dir, "story", "1"),
		smallSample().make())
	require.ErrorContains(t, err, "encoding record 1")
	require.NoDirExists(t, filepath.Join(dir, "story", "1"))
}

type unwritable struct{ F func() }

func (unwritable) RecordKind() string { return "unwritable" }
