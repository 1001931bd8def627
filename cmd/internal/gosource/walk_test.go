package gosource

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestWalkLeavesOutOnlyWhatIsNoSource: folders of what was built and run are left out at the top
// only; a package may have such a name.
func TestWalkLeavesOutOnlyWhatIsNoSource(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, name := range []string{"bin/holdfast.go", "runs/x/1/x.go", "a/bin/bin.go", "a/runs/runs.go",
		"a/testdata/x.go",
		"a/.hidden/x.go", "a/_old/x.go", "tools/go.mod", "tools/x.go", "go.mod", "x.go"} {
		fsys[name] = &fstest.MapFile{Data: []byte("package x\n")}
	}
	var seen []string
	require.NoError(t, Walk(fsys, func(name string) error { seen = append(seen, name); return nil }))
	require.Equal(t, []string{"a/bin/bin.go", "a/runs/runs.go", "go.mod", "x.go"}, seen)
}
