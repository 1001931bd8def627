package pve

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestProbesAreThoseOfTheEngine compares the list with the sources: no fault waits for a probe that is missing.
func TestProbesAreThoseOfTheEngine(t *testing.T) {
	var found []string
	call := regexp.MustCompile(`\.Probe\("([^"]+)"\)`)
	err := filepath.WalkDir("../../engine", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range call.FindAllSubmatch(text, -1) {
			found = append(found, string(match[1]))
		}
		return err
	})
	require.NoError(t, err)
	slices.Sort(found)
	require.Equal(t, slices.Compact(found), slices.Sorted(slices.Values(probes)))
}

func TestTriggersOfTheHAManagerExistOnlyWithIt(t *testing.T) {
	records, rare := judge{&Subject{}}.Triggers()
	require.Contains(t, records, "store-installed")
	require.Contains(t, rare, "totem/recovered")
	require.NotContains(t, records, "ha-crm-state")
	require.NotContains(t, rare, "lock/taken-over")
}
