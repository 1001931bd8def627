package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
)

var update = flag.Bool("update", false, "write the manual pages anew")

// manDir holds the manual pages that the package installs.
const manDir = "../../packaging/man"

// TestManualPages: the manual pages are those of the commands as they are.
func TestManualPages(t *testing.T) {
	t.Setenv(nodeapi.AddressVariable, "")
	root := newRoot()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	root.DisableAutoGenTag = true
	made := t.TempDir()
	date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // a page without one has that of today
	require.NoError(t, doc.GenManTree(root, &doc.GenManHeader{Section: "8", Date: &date, Source: "Holdfast",
		Manual: "Operating a cluster"}, made))
	const pages = "ha-manager*.8"
	fresh, err := filepath.Glob(filepath.Join(made, pages))
	require.NoError(t, err)
	require.Greater(t, len(fresh), 20)
	old, err := filepath.Glob(filepath.Join(manDir, pages))
	require.NoError(t, err)
	if *update {
		for _, path := range old {
			require.NoError(t, os.Remove(path))
		}
		for _, path := range fresh {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(manDir, filepath.Base(path)), text, 0o644))
		}
		return
	}
	const remedy = "go test ./cmd/ha-manager -run TestManualPages -update"
	require.Len(t, old, len(fresh), remedy)
	for _, path := range fresh {
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(manDir, filepath.Base(path)))
		require.NoError(t, err, remedy)
		require.Equal(t, string(want), string(got), "%s: %s", filepath.Base(path), remedy)
	}
}
