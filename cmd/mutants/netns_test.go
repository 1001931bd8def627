package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// The bugs of real nodes fit the sources and name who must notice them and where.
func TestNetnsCatalogueFitsTheSources(t *testing.T) {
	inModule(t)
	dir := filepath.Join(catalogue, netnsCatalogue)
	list, err := readCatalogue(dir, "")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list), 4)
	for _, m := range list {
		require.NotEmpty(t, m.About, m.Name)
		require.NotEmpty(t, m.Reference, m.Name)
		require.NotEmpty(t, m.Checker, m.Name)
		for _, name := range m.Hunts {
			file := filepath.Join(dir, "hunts", name+".yaml")
			if !exists(file) {
				require.Contains(t, library.Names(), name, m.Name)
				continue
			}
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, _, err := scenarios.Parse(file, data, scenarios.Kinds{pve.Kind: pve.Decode})
			require.NoError(t, err)
			require.Equal(t, name, s.Name)
		}
	}
}

// What a run says decides: who notices must be who should, and the clean engine must be right.
func TestWhatARunOnRealNodesSays(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program of this test is a shell script")
	}
	says := func(dir, line string) {
		require.NoError(t, os.MkdirAll(dir, 0o700))
		script := "#!/bin/sh\n[ \"$HOLDFAST_BIN_DIR\" = '" + dir + "' ] || exit 9\necho '" + line +
			"'\nexit 1\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "holdfast"), []byte(script), 0o700))
	}
	const invalid = `{"verdict":"invalid","scenario":"h","seed":1,"checks":[{"checker":"nodes","verdict":"valid","summary":"x"},` +
		`{"checker":"ha-single","verdict":"invalid","summary":"twice"}]}`
	const valid = `{"verdict":"valid","scenario":"h","seed":1,"checks":[{"checker":"nodes","verdict":"valid"}]}`
	const unknown = `{"verdict":"unknown","scenario":"h","seed":1,"checks":[{"checker":"nodes","verdict":"unknown","summary":"busy"}]}`
	for name, c := range map[string]struct{ planted, clean, checker, want string }{
		"found":               {invalid, valid, "ha-single", "found"},
		"any checker":         {invalid, valid, "", "found"},
		"noticed by others":   {invalid, valid, "ha-reset", "missed"},
		"not noticed":         {valid, valid, "ha-single", "missed"},
		"undecided":           {unknown, valid, "", "missed"},
		"clean is not clean":  {invalid, invalid, "ha-single", "unclean"},
		"clean is undecided":  {invalid, unknown, "ha-single", "unclean"},
		"and by a name alone": {invalid, valid, "single", "missed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			planted, clean := filepath.Join(dir, "planted"), filepath.Join(dir, "clean")
			says(planted, c.planted)
			says(clean, c.clean)
			h := &netnsHunter{options: &options{catalogue: dir}, builder: &builder{workDir: dir},
				cleanResults: map[string]huntResult{}}
			c0, err := h.runScenario(context.Background(), clean, "h")
			require.NoError(t, err)
			h.cleanResults["h"] = c0
			outcome, _, err := h.huntPlanted(context.Background(), &mutant{Name: "m", Checker: c.checker,
				Hunts: []string{"h"}}, planted)
			require.NoError(t, err)
			require.Equal(t, c.want, outcome)
		})
	}
}
