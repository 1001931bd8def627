package reports_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

func TestWriteAndReadRun(t *testing.T) {
	run := smallSample().make()
	dir := filepath.Join(t.TempDir(), "minority-partition", "42")
	paths, err := reports.WriteRun(dir, run)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, reports.PageFile), paths.Page)
	for _, file := range []string{reports.ScenarioFile, reports.HistoryFile, reports.HistoryText,
		reports.RecordsFile,
		reports.FinalsFile, reports.VerdictsFile, reports.FaultsFile, reports.LogsFile, reports.StoryText,
		reports.LogsJSON,
		reports.DigestFile, reports.ReplayFile, reports.StoryFile, reports.SummaryFile, reports.PageFile} {
		info, err := os.Stat(filepath.Join(dir, file))
		require.NoError(t, err)
		require.NotZero(t, info.Size(), file)
	}

	saved, err := reports.ReadRun(dir)
	require.NoError(t, err)
	require.NoError(t, saved.Decode(run.Subject))
	require.Equal(t, run.Events, saved.Run.Events)
	require.Equal(t, run.Records, saved.Run.Records)
	require.Equal(t, run.Applied, saved.Run.Applied)
	require.Equal(t, run.Logs, saved.Run.Logs)
	require.Equal(t, run.Verdicts, saved.Run.Verdicts)
	require.Equal(t, run.Finals, saved.Run.Finals)
	require.Equal(t, run.Probes, saved.Run.Probes)
	require.Equal(t, run.Subject.Judge().Timeline(run), saved.Timeline)
	require.Equal(t, [...]any{run.Seed, run.Backend, run.Digest, run.Duration, run.Steps, run.Reproduce},
		[...]any{saved.Run.Seed, saved.Run.Backend, saved.Run.Digest, saved.Run.Duration, saved.Run.Steps,
			saved.Run.Reproduce})
	require.Equal(t, reports.ModeDerive, saved.Replay.Mode)
	require.Equal(t, run.Seed, saved.Replay.Seed)

	// The scenario comes back the same, with the subject's own part.
	var part map[string]any
	require.NoError(t, saved.Run.Scenario.Subject.Node.Decode(&part))
	require.Equal(t, run.Scenario.Subject.Value, part)
	want := *run.Scenario
	want.Subject = saved.Run.Scenario.Subject
	require.Equal(t, &want, saved.Run.Scenario)
}

// TestReadsVersionOne: folders of version 1 call the backend "world".
func TestReadsVersionOne(t *testing.T) {
	run := smallSample().make()
	dir := filepath.Join(t.TempDir(), "1")
	_, err := reports.WriteRun(dir, run)
	require.NoError(t, err)
	for _, name := range []string{reports.SummaryFile, reports.ReplayFile} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(data), `"backend": "sim"`)
		old := strings.NewReplacer(`"backend"`, `"world"`, "holdfast.run/2", "holdfast.run/1",
			"holdfast.replay/2", "holdfast.replay/1").Replace(string(data))
		require.NoError(t, os.WriteFile(path, []byte(old), 0o600))
	}
	saved, err := reports.ReadRun(dir)
	require.NoError(t, err)
	require.Equal(t, "sim", saved.Run.Backend)
	require.Equal(t, "sim", saved.Replay.Backend)
}

func TestRenderingASavedRunGivesTheSameFolder(t *testing.T) {
	run := largeSample().make()
	base := t.TempDir()
	first, err := reports.WriteRun(filepath.Join(base, "a", "1"), run)
	require.NoError(t, err)
	saved, err := reports.ReadRun(first.Dir)
	require.NoError(t, err)
	require.NoError(t, saved.Decode(run.Subject))
	second, err := saved.Options().WriteRun(filepath.Join(base, "b", "1"), saved.Run)
	require.NoError(t, err)
	entries, err := os.ReadDir(first.Dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(entries), 14)
	for _, e := range entries {
		require.Equal(t, readFile(t, filepath.Join(first.Dir, e.Name())),
			readFile(t, filepath.Join(second.Dir, e.Name())), e.Name())
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestWriteRunReplacesAndLinks(t *testing.T) {
	base := t.TempDir()
	run := smallSample().make()
	for range 2 {
		_, err := reports.WriteRun(filepath.Join(base, "42"), run)
		require.NoError(t, err)
	}
	run.Seed = 43
	paths, err := reports.WriteRun(filepath.Join(base, "43"), run)
	require.NoError(t, err)
	entries, err := os.ReadDir(base)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if paths.Latest == "" {
		require.Equal(t, []string{"42", "43"}, names)
		t.Skip("this system has no symbolic links for us: the link \"latest\" was not tested")
	}
	require.Equal(t, []string{"42", "43", "latest"}, names)
	saved, err := reports.ReadRun(paths.Latest)
	require.NoError(t, err)
	require.Equal(t, uint64(43), saved.Run.Seed)
	saved, err = reports.ReadRun(filepath.Join(base, "42", reports.HistoryFile))
	require.NoError(t, err)
	require.Equal(t, uint64(42), saved.Run.Seed)
}

func TestWriteRunLeavesForeignFoldersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "42")
	require.NoError(t, os.Mkdir(dir, 0o755))
	precious := filepath.Join(dir, "thesis.txt")
	require.NoError(t, os.WriteFile(precious, []byte("x"), 0o644))
	_, err := reports.WriteRun(dir, smallSample().make())
	require.ErrorIs(t, err, reports.ErrNotRunFolder)
	require.Equal(t, "x", readFile(t, precious))
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing half-written stays behind")
}

func TestWriteRunFailsWhole(t *testing.T) {
	base := t.TempDir()
	run := smallSample().make()
	run.Scenario = nil
	_, err := reports.WriteRun(filepath.Join(base, "42"), run)
	require.ErrorContains(t, err, "no scenario")
	entries, err := os.ReadDir(base)
	require.NoError(t, err)
	require.Empty(t, entries)
	_, err = reports.Options{Extra: map[string][]byte{"../x": nil}}.WriteRun(filepath.Join(base, "1"),
		smallSample().make())
	require.ErrorContains(t, err, "plain name")
}

func TestReadRunRefuses(t *testing.T) {
	_, err := reports.ReadRun(t.TempDir())
	require.ErrorIs(t, err, reports.ErrNotRunFolder)

	write := func() string {
		paths, err := reports.WriteRun(filepath.Join(t.TempDir(), "42"), smallSample().make())
		require.NoError(t, err)
		return paths.Dir
	}
	for file, content := range map[string]string{
		reports.VerdictsFile: `{"schema":"holdfast.verdicts/2"}`,
		reports.SummaryFile:  `{"schema":"something else"}`,
		reports.FaultsFile:   `{}`,
		reports.RecordsFile:  "{}\n{",
		reports.LogsJSON:     "[]",
		reports.HistoryFile:  "{\"p\":1}\n{}\n",
		reports.ScenarioFile: "warmup: [1",
		reports.StoryFile:    "no json",
	} {
		dir := write()
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644))
		_, err := reports.ReadRun(dir)
		require.ErrorContains(t, err, file)
	}
	dir := write()
	require.NoError(t, os.WriteFile(filepath.Join(dir, reports.VerdictsFile),
		[]byte(`{"schema":"holdfast.verdicts/2"}`), 0o644))
	_, err = reports.ReadRun(dir)
	require.ErrorIs(t, err, reports.ErrSchema)
}

func TestReadRunAfterTornHistory(t *testing.T) {
	paths, err := reports.WriteRun(filepath.Join(t.TempDir(), "42"), smallSample().make())
	require.NoError(t, err)
	whole := readFile(t, paths.History)
	require.NoError(t, os.WriteFile(paths.History, []byte(whole[:len(whole)-9]), 0o644))
	saved, err := reports.ReadRun(paths.Dir)
	require.NoError(t, err)
	require.True(t, saved.Torn)
	require.Len(t, saved.Run.Events, len(smallSample().make().Events)-1)
}

func TestReadRunWithAnotherScenarioReader(t *testing.T) {
	s := smallSample().make()
	paths, err := reports.Options{Scenario: func(*scenarios.Scenario) ([]byte, error) {
		return []byte("name: x\nstory: s\nmachines: 3\nwarmup: 10s\nduration: 90s\nsubject:\n  kind: pve\n" +
			"  votes: 3\n"), nil
	}}.WriteRun(filepath.Join(t.TempDir(), "42"), s)
	require.NoError(t, err)
	saved, err := reports.ReadRun(paths.Dir)
	require.NoError(t, err)
	require.Equal(t, scenarios.Count(3), saved.Run.Scenario.Machines)
	require.Equal(t, "pve", saved.Run.Scenario.Subject.Kind)

	refuse := errors.New("line 1: no")
	_, err = reports.ReadOptions{Scenario: func([]byte) (*scenarios.Scenario, error) {
		return nil,
			refuse
	}}.ReadRun(paths.Dir)
	require.ErrorIs(t, err, refuse)
	mine := &scenarios.Scenario{Name: "mine"}
	saved, err = reports.ReadOptions{Scenario: func([]byte) (*scenarios.Scenario, error) {
		return mine,
			nil
	}}.ReadRun(paths.Dir)
	require.NoError(t, err)
	require.Same(t, mine, saved.Run.Scenario)
}

func TestVerdictsFile(t *testing.T) {
	s := smallSample()
	s.stale = true
	paths, err := reports.WriteRun(filepath.Join(t.TempDir(), "42"), s.make())
	require.NoError(t, err)
	var file struct {
		Schema  string
		Verdict linearizability.Validity
	}
	require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(paths.Dir, reports.VerdictsFile))),
		&file))
	require.Equal(t, reports.VerdictsSchema, file.Schema)
	require.Equal(t, linearizability.Invalid, file.Verdict)
	sum := reports.Summarize(s.make())
	require.Equal(t, linearizability.StaleRead, sum.Checks[0].Kind)
	require.Equal(t, 1, sum.Faults)
	require.Positive(t, sum.MembershipChanges)
}

func TestLogsAreOneLineEach(t *testing.T) {
	run := smallSample().make()
	run.Logs = []scenarios.LogLine{
		{At: 1500, Machine: "n1", Process: "store", Level: "INFO",
			Text: "two\nlines \x1b[2Jand \u202egnp\xff"},
		{At: 61e9, Machine: "a-very-long-machine-name-indeed", Process: "p", Level: "W", Text: "ok"},
	}
	paths, err := reports.WriteRun(filepath.Join(t.TempDir(), "42"), run)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		`    0.000001  n1                        store  INFO  two\nlines \x1b[2Jand \u202egnp\xff`,
		`   61.000000  a-very-long-machine-nam…  p      W     ok`, ""}, "\n"),
		readFile(t, filepath.Join(paths.Dir, reports.LogsFile)))
}
