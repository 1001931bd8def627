package replaydiff

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// beat is a record.
type beat struct{ Number int }

// RecordKind implements env.Record.
func (beat) RecordKind() string { return "beat" }

// example is a run with two records, two events and a verdict.
func example() *scenarios.Run {
	run := &scenarios.Run{Scenario: &scenarios.Scenario{Name: "x"}, Seed: 1, Backend: "sim"}
	for i := range 2 {
		at := time.Duration(i+1) * time.Second
		run.Records = append(run.Records, scenarios.Stamped{At: at, Process: "p", Record: beat{i}})
	}
	run.Events = []history.Event{
		{Index: 0, Time: int64(1500 * time.Millisecond), Type: history.Invoke, F: "read"},
		{Index: 1, Time: int64(2500 * time.Millisecond), Type: history.OK, F: "read",
			Value: json.RawMessage(`1`)}}
	run.Verdicts = []linearizability.Verdict{{Checker: "register", Validity: linearizability.Valid,
		Summary: "ok"}}
	return run
}

// compared returns what is said about a run after that of example.
func compared(t *testing.T, run *scenarios.Run) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "1")
	_, err := reports.WriteRun(dir, example())
	require.NoError(t, err)
	s, err := Open(dir)
	require.NoError(t, err)
	defer s.Close()
	require.False(t, s.Alone())
	for _, r := range run.Records {
		s.Record(r)
	}
	return s.FirstDifference(run)
}

func TestFirstDifference(t *testing.T) {
	for want, change := range map[string]func(r *scenarios.Run){
		"history, records and verdicts are the same": func(*scenarios.Run) {},
		`the first difference is record 2 at 2s: it was p beat {"Number":1} (machine 0 at 2s), ` +
			`now it is p beat {"Number":7} (machine 0 at 2s)`: func(r *scenarios.Run) {
			r.Records[1].Record = beat{7}
		},
		`the first difference is record 1 at 500ms: it was`: func(r *scenarios.Run) { r.Records[0].At /= 2 },
		"the first difference is record 3 at 3s is new": func(r *scenarios.Run) {
			r.Records = append(r.Records, scenarios.Stamped{At: 3 * time.Second, Record: beat{}})
		},
		"the first difference is record 2 at 2s is missing": func(r *scenarios.Run) {
			r.Records = r.Records[:1]
		},
		"the first difference is event 2 of the clients at 2.5s: it was": func(r *scenarios.Run) {
			r.Events[1].Value = json.RawMessage(`2`)
		},
		"the first difference is event 1 of the clients at 1.5s: it was": func(r *scenarios.Run) {
			r.Events[0].F, r.Records[1].Record = "write", beat{7} // the record comes later
		},
		"the first difference is event 2 of the clients at 2.5s, which is missing": func(r *scenarios.Run) {
			r.Events = r.Events[:1]
		},
		"the first difference is event 3 of the clients at 9s, which is new": func(r *scenarios.Run) {
			r.Events = append(r.Events, history.Event{Time: int64(9 * time.Second),
				Type: history.Invoke, F: "read"})
		},
		"the first difference is the verdict of register: it was valid (ok), now it is invalid (stale)": func(
			r *scenarios.Run) {
			r.Verdicts[0].Validity, r.Verdicts[0].Summary = linearizability.Invalid, "stale"
		},
		"the first difference is the verdict of panic: it was absent, now it is invalid": func(
			r *scenarios.Run) {
			r.Verdicts = append(r.Verdicts, linearizability.Verdict{Checker: "panic",
				Validity: linearizability.Invalid})
		},
	} {
		run := example()
		change(run)
		require.Contains(t, compared(t, run), want)
	}
}

func TestAloneFollowsTheSavedRun(t *testing.T) {
	run := example()
	run.Verdicts = append(run.Verdicts, linearizability.Verdict{Checker: scenarios.ProbesChecker})
	dir := filepath.Join(t.TempDir(), "1")
	_, err := reports.WriteRun(dir, run)
	require.NoError(t, err)
	s, err := Open(dir)
	require.NoError(t, err)
	defer s.Close()
	require.True(t, s.Alone())
}

func TestFolderThatIsNotWhole(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	require.NoError(t, err)
	s.Record(example().Records[0])
	require.Equal(t, "the folder has no history and no verdicts, so it does not show where",
		s.FirstDifference(example()))
	s.Close()
	require.NoError(t, os.WriteFile(filepath.Join(dir, reports.SummaryFile), []byte("{"), 0o600))
	_, err = Open(dir)
	require.ErrorContains(t, err, "reading the summary of the first run")
}
