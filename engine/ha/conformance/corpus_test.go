package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// corpusRoots are the places of test data that is not part of the project.
func corpusRoots(t *testing.T) []string {
	t.Helper()
	var roots []string
	if root := os.Getenv("HOLDFAST_CORPORA"); root != "" {
		roots = append(roots, root)
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return append(roots, filepath.Join(dir, "..", "shared", "corpora"))
		}
		if dir == filepath.Dir(dir) {
			return roots
		}
	}
}

// corpusDir finds a folder of test data that is not part of the project.
func corpusDir(t *testing.T, name string) string {
	t.Helper()
	for _, root := range corpusRoots(t) {
		path := filepath.Join(root, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("corpus %s not found: set HOLDFAST_CORPORA to the folder that holds it", name)
	return ""
}

// knownExact is how many folders of the corpus give a byte-equal log.
const knownExact = 105

func TestCorpusScenarios(t *testing.T) {
	dir := corpusDir(t, "pve-ha-manager")
	report, err := RunHA(context.Background(), []string{dir}, Options{})
	require.NoError(t, err)
	if only := os.Getenv("HOLDFAST_SCENARIO"); only != "" {
		for _, result := range report.Results {
			if result.Name == only {
				t.Logf("%+v\n%s", result.Error, result.Diff)
			}
		}
	}
	var text testWriter
	require.NoError(t, report.WriteText(&text))
	if !report.Passed() {
		t.Log(string(text))
	}
	require.Equal(t, report.Total, report.T2, "T2")
	require.Equal(t, report.Total, report.T1, "T1")
	require.GreaterOrEqual(t, report.T0, min(report.Total, knownExact), "T0")
}

// TestCorpusRandomScenarios: random folders with logs of Proxmox VE's manager. None may differ, and with
// strict decisions each that differs has a documented reason.
func TestCorpusRandomScenarios(t *testing.T) {
	dir := corpusDir(t, "pve-ha-manager-random")
	folders, err := FindScenarios([]string{dir})
	require.NoError(t, err)
	var some []string // every twelfth, unless thorough
	for i := 0; i < len(folders); i += thorough.Count(24, 1) {
		some = append(some, folders[i])
	}
	report, err := RunHA(context.Background(), some, Options{})
	require.NoError(t, err)
	var text testWriter
	require.NoError(t, report.WriteText(&text))
	require.True(t, report.Passed(), string(text))
}

// TestCorpusRandomRules: random rule files with what Proxmox VE's manager made of them.
func TestCorpusRandomRules(t *testing.T) {
	dir := corpusDir(t, "pve-ha-manager-random-rules")
	report, err := RunRules(context.Background(), []string{dir})
	require.NoError(t, err)
	var text testWriter
	require.NoError(t, report.WriteText(&text))
	require.True(t, report.Passed(), string(text))
}

type testWriter []byte

func (w *testWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

func TestCorpusRules(t *testing.T) {
	dir := corpusDir(t, "pve-ha-manager-rules")
	report, err := RunRules(context.Background(), []string{dir})
	require.NoError(t, err)
	var text testWriter
	require.NoError(t, report.WriteText(&text))
	require.True(t, report.Passed(), string(text))
}
