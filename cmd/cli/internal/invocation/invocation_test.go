package invocation

import (
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestProgramsOfGoRunAreKnown(t *testing.T) {
	hash := strings.Repeat("0b", 32)
	for name, want := range map[string]bool{
		"/tmp/go-build123/b001/exe/holdfast":            true,
		"/home/me/.cache/go-build/0b/" + hash + "-d/hf": true,
		"/var/cache/0b/" + hash + "-d/holdfast":         true, // GOCACHE=/var/cache
		"/tmp/go-build123/b001/cli.test":                false,
		"/usr/local/bin/holdfast":                       false,
		"bin/holdfast":                                  false,
	} {
		require.Equal(t, want, builtByGoRun(name), name)
	}
}

func TestGoRunNamesTheMainPackage(t *testing.T) {
	const module = "example.com/notes"
	for want, c := range map[string]struct {
		path, version string
		there         []string
	}{
		"go run ./cmd/mine": {module + "/cmd/mine", "(devel)",
			[]string{"cmd/mine", "go.mod"}},
		"go run example.com/notes/cmd/mine":        {module + "/cmd/mine", "(devel)", nil},
		"go run example.com/notes/cmd/mine@v1.2.0": {module + "/cmd/mine", "v1.2.0", nil},
		"go run .":                        {module, "(devel)", []string{"go.mod"}},
		"go run example.com/notes@v1.0.0": {module, "v1.0.0", nil},
	} {
		info := &debug.BuildInfo{Path: c.path, Main: debug.Module{Path: module, Version: c.version}}
		require.Equal(t, want, goRun(info, func(path string) bool { return slices.Contains(c.there, path) }))
	}
	files := &debug.BuildInfo{Path: "command-line-arguments", Main: debug.Module{Path: module}}
	require.Equal(t, "go run .", goRun(files, exists), "what go run was given is not recorded")
	require.Equal(t, "go run .", goRun(nil, exists))
}

// TestCommandsCanBePasted lets a shell take quoted words apart again.
func TestCommandsCanBePasted(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("needs a shell: " + err.Error())
	}
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[^\x00]{0,8}`), 1, 4).Draw(t, "words")
		var line []string
		for _, word := range words {
			line = append(line, Quote(word))
		}
		out, err := exec.Command(sh, "-c", `printf '%s\0' `+strings.Join(line, " ")).Output()
		require.NoError(t, err)
		require.Equal(t, strings.Join(words, "\x00")+"\x00", string(out))
	})
	require.Equal(t, "pair-cut", Quote("pair-cut"))
	require.Equal(t, "''", Quote(""))
}
