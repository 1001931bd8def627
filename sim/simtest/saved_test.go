package simtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/sim/simtest"
)

var hasty = []string{"KEEPER_HASTY=1"}

// savedFiles are the saved failures of a test in a folder.
func savedFiles(t *testing.T, dir, test string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "testdata", "holdfast", test, "*.yaml"))
	require.NoError(t, err)
	return files
}

// TestASavedFailureRunsFirst: the command that a failure prints saves what is left of it, and from then on
// each run of the test begins with it, also with other seeds, until the bug is gone.
func TestASavedFailureRunsFirst(t *testing.T) {
	dir := t.TempDir()
	out, passed := runTestIn(t, dir, "TestKeeper", hasty, "-sim.seeds=8-8")
	require.False(t, passed)
	command := regexp.MustCompile(`To save it as a file that go test runs first: go test \S+ ` +
		`-run '\^TestKeeper\$'(?: -short)? (-sim\.seed=8) (-sim\.shrink=30s) (-sim\.save)\n`).FindStringSubmatch(out)
	require.NotEmpty(t, command, out)
	require.Empty(t, savedFiles(t, dir, "TestKeeper"))

	out, passed = runTestIn(t, dir, "TestKeeper", hasty, command[1:]...)
	require.False(t, passed)
	files := savedFiles(t, dir, "TestKeeper")
	require.Len(t, files, 1, out)
	require.Contains(t, out, "saved as testdata/holdfast/TestKeeper/"+filepath.Base(files[0]))
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Regexp(t, `^# Failed in TestKeeper: register: no order .*\n(#.*\n)+seed: \d+\n---\n`+
		`name: rough-seas\n`, string(text))
	require.Contains(t, string(text), "  operations: 1\n", "what is left of it")

	name := filepath.Base(files[0])
	out, passed = runTestIn(t, dir, "TestKeeper", hasty, "-sim.seeds=1-2")
	require.False(t, passed)
	before, _, _ := strings.Cut(out, "=== RUN   TestKeeper/seed=1")
	require.Contains(t, before, "=== RUN   TestKeeper/"+name)
	subtest := `(\^TestKeeper\$/\^` + regexp.QuoteMeta(regexp.QuoteMeta(name)) + `\$)`
	again := regexp.MustCompile(`To reproduce: go test \S+ -run '` + subtest + `'(?: -short)?\n`).
		FindStringSubmatch(out)
	require.NotEmpty(t, again, out)
	require.NotContains(t, before, "To save it", "it is saved")
	out, passed = runTestIn(t, dir, strings.Trim(again[1], "^$"), hasty)
	require.False(t, passed)
	require.Contains(t, out, "register: invalid")
	require.Empty(t, seedsIn(out), "the command runs the file alone")

	out, passed = runTestIn(t, dir, "TestKeeper", nil, "-sim.seed=1")
	require.True(t, passed)
	require.NotContains(t, out, name, "one seed is asked for, and nothing else")
	out, passed = runTestIn(t, dir, "TestKeeper", nil, "-sim.seeds=1-2")
	require.True(t, passed, out)
	require.Regexp(t, "--- (PASS|SKIP): TestKeeper/"+regexp.QuoteMeta(name), out)

	// A fuzz test runs its files as well.
	require.NoError(t, os.Rename(filepath.Join(dir, "testdata", "holdfast", "TestKeeper"),
		filepath.Join(dir, "testdata", "holdfast", "FuzzKeeper")))
	out, passed = runTestIn(t, dir, "FuzzKeeper", hasty, "-sim.seeds=1-1")
	require.False(t, passed)
	require.Contains(t, out, "saved failure testdata/holdfast/FuzzKeeper/"+name)
	require.NotContains(t, out, "go test is fuzzing")
	_, passed = runTestIn(t, dir, "FuzzKeeper", nil, "-sim.seeds=1-1")
	require.True(t, passed)
}

// TestASavedFailureKeepsItsDraws: a failing input of a fuzz test is another run than its seed alone.
func TestASavedFailureKeepsItsDraws(t *testing.T) {
	dir := t.TempDir()
	out, passed := runTestIn(t, dir, "TestKeeper", hasty, "-sim.seed=8", "-sim.draws=06000000", "-sim.save")
	require.False(t, passed)
	want := violation(t, out)
	files := savedFiles(t, dir, "TestKeeper")
	require.Len(t, files, 1, out)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Contains(t, string(text), "\nseed: 8\noverrides:\n  - stream: nemesis\n    label: amount\n"+
		"    index: 0\n    value: 0\n---\nname: ")
	require.Contains(t, string(text), "\nnemesis:\n", "nothing was asked to make it small")
	out, passed = runTestIn(t, dir, "TestKeeper", hasty, "-sim.seeds=1-1")
	require.False(t, passed)
	require.Contains(t, out, want)
}

// TestSavedFailuresThatDoNotFit fail, each with what is wrong, where, and what to do.
func TestSavedFailuresThatDoNotFit(t *testing.T) {
	const head = "# a comment\nseed: 3\n---\n"
	const scenario = "name: rough-seas\nstory: A story.\nmachines: 3\nduration: 20s\n" +
		"subject: {kind: keeper}\n"
	changed := func(old, by string) string { return head + strings.Replace(scenario, old, by, 1) }
	dir := t.TempDir()
	folder := filepath.Join(dir, "testdata", "holdfast", "TestKeeper")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	files := map[string]struct{ text, problem string }{
		"mark.yaml":  {"seed: 3\n" + scenario, "mark.yaml: there is no line --- between seed and scenario"},
		"seed.yaml":  {"# nothing\n---\n" + scenario, "seed.yaml: there is no seed above the line ---"},
		"key.yaml":   {"sed: 3\n---\n" + scenario, `key.yaml:1:1: unknown key "sed"`},
		"yaml.yaml":  {head + "name: [\n", "yaml.yaml"},
		"spell.yaml": {changed("duration", "duraton"), `spell.yaml:7:1: unknown key "duraton"`},
		"kind.yaml":  {changed("keeper", "raft"), `kind.yaml:8:17: subject.kind: unknown subject "raft"`},
		"name.yaml": {changed("rough", "smooth"),
			"name.yaml: its scenario has the name of none of this test's (rough-seas)"},
		"valid.yaml":  {head + scenario, ""},
		"ignored.txt": {"nothing", ""},
	}
	for name, file := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(file.text), 0o644))
	}
	out, passed := runTestIn(t, dir, "TestKeeper", nil, "-sim.seeds=1-1")
	require.False(t, passed)
	for name, file := range files {
		require.Contains(t, out, file.problem, name)
	}
	require.Equal(t, 7, strings.Count(out, "no longer fits its test: correct the file, or delete it"), out)
	require.Contains(t, out, "--- PASS: TestKeeper/valid.yaml")
	require.Equal(t, "1", seedsIn(out), "the seeds run all the same")
}

// FuzzParseSaved: no file makes the reader panic, an error names the file, and what is accepted is a
// scenario.
func FuzzParseSaved(f *testing.F) {
	for _, text := range []string{"", "seed: 3\n---\n", "seed: 3\n---\nname: x\nstory: A.\nmachines: 1\n" +
		"duration: 1s\nsubject: {kind: keeper}\n", "seed: -1\n---\n", "---\n---\n", "a: &a [*a]\n---\n"} {
		f.Add([]byte(text))
	}
	keeper := subject(false)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, s, err := simtest.ParseSaved(data, keeper)
		if err != nil {
			require.Contains(t, err.Error(), "f.yaml:")
			return
		}
		require.NotEmpty(t, s.Name)
		require.Equal(t, keeper.Kind(), s.Subject.Kind)
	})
}
