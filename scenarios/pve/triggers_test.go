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

// TestProbesAreThoseOfTheEngine compares the list with the sources: no fault waits for a probe that is
// missing.
func TestProbesAreThoseOfTheEngine(t *testing.T) {
	require.Equal(t, namesInEngine(t, `\.Probe\("([^"]+)"\)`), slices.Sorted(slices.Values(probes)))
}

// TestSitesAreThoseOfTheEngine compares the list with the sources: no fault names a site that is missing.
func TestSitesAreThoseOfTheEngine(t *testing.T) {
	found := namesInEngine(t,
		`(?:env\.(?:Buggify|Limit)\([a-z.]+, |sleepAt\(t, |wire\.Type[A-Za-z]+: )"([^"]+)"`)
	require.Equal(t, found, slices.Sorted(slices.Values(sites)))
}

// namesInEngine returns what the sources of the engine have in the place of a pattern's group, sorted.
func namesInEngine(t *testing.T, pattern string) (found []string) {
	t.Helper()
	call := regexp.MustCompile(pattern)
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
	return slices.Compact(found)
}

func TestTriggersOfTheHAManagerExistOnlyWithIt(t *testing.T) {
	records, rare := judge{&Subject{}}.Triggers()
	require.Contains(t, records, "store-installed")
	require.Contains(t, rare, "totem/recovered")
	require.NotContains(t, records, "ha-crm-state")
	require.NotContains(t, rare, "lock/taken-over")
}
