package docstest

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

var (
	required = regexp.MustCompile(`(?m)^\t(\S+) v\S+`)
	toolLine = regexp.MustCompile(`(?m)^\t(\S+)$`)
	firstRow = regexp.MustCompile("(?m)^\\| `(\\S+)` \\|")
)

// TestEveryDependencyHasItsReason: the rows of docs/dependencies.md are the modules that the
// source imports and the tools of .ci/tools, no more and no fewer.
func TestEveryDependencyHasItsReason(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	read := func(name string) string {
		data, err := fs.ReadFile(root, name)
		require.NoError(t, err)
		return string(data)
	}
	var modules []string
	for _, match := range required.FindAllStringSubmatch(read("go.mod"), -1) {
		modules = append(modules, match[1])
	}
	want := map[string]bool{}
	for _, match := range toolLine.FindAllStringSubmatch(read(".ci/tools/go.mod"), -1) {
		want[match[1]] = true
	}
	require.Len(t, want, 3)
	files, err := gosource.Load(root)
	require.NoError(t, err)
	for _, f := range files {
		for path := range f.Imports() {
			i := slices.IndexFunc(modules, func(m string) bool {
				return path == m ||
					strings.HasPrefix(path, m+"/")
			})
			if i >= 0 {
				want[modules[i]] = true
			}
			require.False(t, i < 0 && strings.Contains(path, ".") &&
				!strings.HasPrefix(path, gosource.ModulePath), path)
		}
	}
	require.Greater(t, len(want), 10)
	rows := map[string]bool{}
	for _, match := range firstRow.FindAllStringSubmatch(read("docs/dependencies.md"), -1) {
		rows[match[1]] = true
	}
	require.Equal(t, want, rows)
}
