package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/mutants/internal/measure"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

const catalogue = "scenarios/pve/mutants"

// inModule goes to the module's top folder, where the program is run.
func inModule(t *testing.T) {
	t.Helper()
	t.Chdir(filepath.Join("..", ".."))
}

// Every planted bug fits the sources as they are, and names hunts that can be read.
func TestCatalogueFitsTheSources(t *testing.T) {
	inModule(t)
	list, err := readCatalogue(catalogue, "")
	require.NoError(t, err)
	require.Greater(t, len(list), 20)
	heldOut := 0
	for _, m := range list {
		if m.HeldOut {
			heldOut++
		}
		require.NotEmpty(t, m.About, m.Name)
		require.NotEmpty(t, m.Reference, m.Name)
		for _, folder := range m.folders() {
			require.DirExists(t, folder, m.Name)
		}
		for _, name := range m.Hunts {
			file := huntFile(catalogue, name)
			data, err := os.ReadFile(file)
			require.NoError(t, err, m.Name)
			s, _, err := scenarios.Parse(file, data, scenarios.Kinds{pve.Kind: pve.Decode})
			require.NoError(t, err)
			require.Equal(t, name, s.Name)
		}
	}
	require.GreaterOrEqual(t, 10*heldOut, 3*len(list), "about a third of the catalogue is held out")
}

// The catalogue's page has a row for every planted bug and for every hunt, and for no others.
func TestThePageNamesWhatThereIs(t *testing.T) {
	inModule(t)
	page, err := os.ReadFile(filepath.Join(catalogue, "README.md"))
	require.NoError(t, err)
	list, err := readCatalogue(catalogue, "")
	require.NoError(t, err)
	var bugs, heldOut, hunts []string
	for _, m := range list {
		if m.HeldOut {
			heldOut = append(heldOut, m.Name)
		} else {
			bugs = append(bugs, m.Name)
		}
	}
	files, err := filepath.Glob(filepath.Join(catalogue, "hunts", "*.yaml"))
	require.NoError(t, err)
	for _, f := range files {
		hunts = append(hunts, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	require.ElementsMatch(t, bugs, rowsBelow(t, string(page), "| bug | outcome |"))
	require.ElementsMatch(t, heldOut, rowsBelow(t, string(page), "| held-out bug |"))
	require.ElementsMatch(t, hunts, rowsBelow(t, string(page), "| hunt | the situation"))
}

// rowsBelow are the first cells of the table that begins with a line.
func rowsBelow(t *testing.T, page, head string) (names []string) {
	t.Helper()
	_, table, found := strings.Cut(page, head)
	require.True(t, found, head)
	for i, line := range strings.Split(table, "\n") {
		if i < 2 {
			continue
		}
		if !strings.HasPrefix(line, "| ") {
			return names
		}
		names = append(names, strings.TrimSpace(strings.Split(line, "|")[1]))
	}
	return names
}

// write makes a catalogue of one planted bug in a source file.
func write(t *testing.T, mutant string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("source.go", []byte("package p\n\nvar a, b = 1, 1\nvar c = 2\n"), 0o600))
	require.NoError(t, os.Mkdir("bugs", 0o700))
	require.NoError(t, os.WriteFile("bugs/planted.yaml", []byte(mutant), 0o600))
	return "bugs"
}

func mutantText(search string) string {
	return "name: planted\nabout: x\nreference: y\nfile: source.go\nsearch: '" + search +
		"'\nreplace: '3'\nhunts: [h]\n"
}

func TestMutate(t *testing.T) {
	list, err := readCatalogue(write(t, mutantText("2")), "")
	require.NoError(t, err)
	mutated, err := list[0].mutate()
	require.NoError(t, err)
	require.Equal(t, "package p\n\nvar a, b = 1, 1\nvar c = 3\n", string(mutated))
	data, err := os.ReadFile("source.go")
	require.NoError(t, err)
	require.Contains(t, string(data), "var c = 2", "the source stays as it is")
}

func TestCatalogueRefusals(t *testing.T) {
	good := mutantText("2")
	cases := []struct{ name, mutant, says string }{
		{"no match", mutantText("4"), "search text does not match exactly once: it is 0 times in " +
			"source.go; follow the code's change"},
		{"two matches", mutantText("1"), "it is 2 times in source.go"},
		{"empty search", mutantText(""), "search text does not match exactly once"},
		{"no such file", strings.Replace(good, "source.go", "gone.go", 1), "gone.go"},
		{"another name", strings.Replace(good, "name: planted", "name: other", 1),
			`name is "other", must be the file's, "planted"`},
		{"no hunts", strings.Replace(good, "[h]", "[]", 1), "no hunts: nothing would search for it"},
		{"held out with a hunt", good + "held-out: true\n", "held out, so it has no hunts"},
		{"a misspelt key", strings.Replace(good, "about", "abut", 1), "abut"},
		{"nothing there", "", "planted.yaml"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, c.mutant)
			_, err := readCatalogue(dir, "")
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "planted.yaml", "it says where")
			err = run(context.Background(), &options{catalogue: dir, workers: 1, checksOnly: true})
			require.ErrorContains(t, err, c.says, "nothing is built before all fit")
		})
	}
}

func TestNoCatalogue(t *testing.T) {
	_, err := readCatalogue(t.TempDir(), "")
	require.ErrorContains(t, err, "run from the module's top folder")
	_, err = readCatalogue(t.TempDir(), "(")
	require.ErrorContains(t, err, "reading --only")
}

// sources are the module's Go files with their times and sizes.
func sources(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir("engine", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			data, readErr := os.ReadFile(path)
			out[path], err = info.ModTime().String()+string(data), readErr
		}
		return err
	}))
	return out
}

// A planted bug is built into a program of its own, which finds it, and nowhere else.
func TestAPlantedBugIsFoundAndLeavesTheSourcesAlone(t *testing.T) {
	thorough.Only(t, "building two programs takes most of a minute")
	inModule(t)
	before := sources(t)
	o := &options{catalogue: catalogue, namePattern: "^store-ack-one-vote-early$", workers: 1,
		huntLimit:  time.Minute,
		writesJSON: true}
	require.NoError(t, run(context.Background(), o))
	require.Equal(t, before, sources(t))
}

// A campaign without arguments finds a planted bug that is held out, and nothing without it.
func TestACampaignFindsAPlantedBug(t *testing.T) {
	thorough.Only(t, "building two programs and two searches take most of a minute")
	inModule(t)
	o := &campaignFlags{catalogue: catalogue, namePattern: "^quorum-counts-the-gone$", starts: []uint{1}}
	o.Options = measure.Options{Limit: time.Minute, CanaryLimit: 3 * time.Second,
		Shrink: 5 * time.Second, Workers: 1,
		Processes: 1, Journal: filepath.Join(t.TempDir(), "journal.jsonl")}
	require.NoError(t, measureCampaign(context.Background(), o))
	text, err := os.ReadFile(o.Journal)
	require.NoError(t, err)
	require.Contains(t, string(text), `"bug":"no-bug","start":1,"limit_seconds":3,"found":false`)
	require.Contains(t, string(text),
		`"bug":"quorum-counts-the-gone","held_out":true,"package":"engine/quorum",`+
			`"start":1,"limit_seconds":60,"found":true`)
}

// A bug that does not compile is an error of the catalogue, with the compiler's words.
func TestAPlantedBugThatDoesNotCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("building a program takes a while")
	}
	inModule(t)
	dir := t.TempDir()
	text := "name: planted\nabout: x\nreference: y\nfile: cmd/mutants/catalogue.go\n" +
		"search: 'const libraryDir ='\nreplace: 'const libraryDir = no +'\nhunts: [h]\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "planted.yaml"), []byte(text), 0o600))
	list, err := readCatalogue(dir, "")
	require.NoError(t, err)
	_, err = (&builder{workDir: t.TempDir()}).buildPlanted(context.Background(), list[0])
	require.ErrorContains(t, err, "building planted")
	require.ErrorContains(t, err, "undefined: no")
}

// TestTheCleanEngineIsNotCaught verifies that the unchanged engine is valid in every hunt, and that every
// run can be decided. Seeds 1 and 3 of hunt-half-installed could not be decided while no process reported
// a change that became durable just before a crash.
func TestTheCleanEngineIsNotCaught(t *testing.T) {
	inModule(t)
	thorough.Only(t, "every hunt with three seeds takes half a minute of processor time; make mutants does "+
		"it as well")
	const seeds = 3
	files, err := filepath.Glob(filepath.Join(catalogue, "hunts", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	c, err := hunt(files, 5*time.Minute, seeds, huntTarget{isClean: true})
	require.NoError(t, err)
	require.False(t, c.Found, "%+v", c)
	require.EqualValues(t, seeds*len(files), c.Runs)
}

// Scenario folders hunt, too: what is not as recorded is noticed, with the tier that noticed it.
func TestScenarioFoldersHunt(t *testing.T) {
	inModule(t)
	good := (&mutant{Conformance: []string{"wrong-commands"}}).folders()[0]
	c := huntConformance(good)
	require.False(t, c.Found)
	require.EqualValues(t, 1, c.Runs)

	bad := filepath.Join(t.TempDir(), "wrong-commands")
	require.NoError(t, os.CopyFS(bad, os.DirFS(good)))
	log, err := os.ReadFile(filepath.Join(bad, "log.expect"))
	require.NoError(t, err)
	text := strings.Replace(string(log), "=> 'online'", "=> 'maintenance'", 1)
	require.NoError(t, os.WriteFile(filepath.Join(bad, "log.expect"), []byte(text), 0o600))
	c = huntConformance(good + "," + bad)
	require.True(t, c.Found)
	require.EqualValues(t, 2, c.Runs)
	require.Equal(t, "conformance T1+conformance T0", c.Checker)
	require.Contains(t, c.Summary, "node node1: expected [unknown => maintenance")

	require.NoError(t, os.Remove(filepath.Join(bad, "log.expect")))
	require.Contains(t, huntConformance(bad).Summary, "log.expect is missing")
}
